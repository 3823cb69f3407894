#include "allot/report/calibration.h"

#include <algorithm>
#include <vector>

namespace allot {

Calibration calibration_of(const PromptHistory& history) {
  struct Seen {
    double verdicts = 0, right = 0;
  };
  std::vector<Seen> seen(history.prompts.size());
  Calibration result;
  double squares = 0, right = 0;
  for (const PromptVisit& visit : history.visits) {
    Seen& before = seen[visit.prompt];
    if (before.verdicts > 0 && visit.verdicts > 0) {
      const double forecast = (before.right + 1) / (before.verdicts + 2);
      const double wrong = visit.verdicts - visit.right;
      CalibrationBin& bin = result.bins[std::min(
          kCalibrationBins - 1, static_cast<std::size_t>(forecast * kCalibrationBins))];
      bin.forecast_sum += forecast * visit.verdicts;
      bin.verdicts += visit.verdicts;
      bin.right += visit.right;
      squares += visit.right * (1 - forecast) * (1 - forecast) + wrong * forecast * forecast;
      right += visit.right;
      result.verdicts += visit.verdicts;
      ++result.visits;
    }
    before.verdicts += visit.verdicts;
    before.right += visit.right;
  }
  if (result.verdicts == 0) return result;
  const double n = static_cast<double>(result.verdicts), share = right / n;
  result.brier = squares / n;
  result.base_brier = share * (1 - share);
  return result;
}

}  // namespace allot
