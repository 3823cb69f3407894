#include "allot/report/ledger.h"

#include <algorithm>
#include <utility>

#include "allot/core/error.h"
#include "allot/store/run_reader.h"

namespace allot {
namespace {

void count(LedgerCounts& counts, PromptState state, std::uint64_t by) {
  switch (state) {
    case PromptState::Unseen:
      counts.unseen += by;
      return;
    case PromptState::Dead:
      counts.dead += by;
      return;
    case PromptState::Mixed:
      counts.mixed += by;
      return;
    case PromptState::Solved:
      counts.solved += by;
      return;
  }
}

// Dead, then mixed by latest rate, then solved, then unseen; the better known first at both ends.
bool before(const LedgerRow& a, const LedgerRow& b) {
  const auto rank = [](const LedgerRow& row) {
    switch (row.state) {
      case PromptState::Dead:
        return 0;
      case PromptState::Mixed:
        return 1;
      case PromptState::Solved:
        return 2;
      case PromptState::Unseen:
        return 3;
    }
    return 3;
  };
  if (rank(a) != rank(b)) return rank(a) < rank(b);
  if (a.state == PromptState::Dead && a.streak.wrong != b.streak.wrong)
    return a.streak.wrong > b.streak.wrong;
  if (a.state == PromptState::Solved && a.streak.right != b.streak.right)
    return a.streak.right < b.streak.right;
  const double rate_a = a.latest_rate().value_or(0), rate_b = b.latest_rate().value_or(0);
  if (rate_a != rate_b) return rate_a < rate_b;
  return a.id < b.id;
}

}  // namespace

std::optional<double> LedgerRow::latest_rate() const {
  for (auto visit = visits.rbegin(); visit != visits.rend(); ++visit)
    if (visit->verdicts > 0)
      return static_cast<double>(visit->right) / static_cast<double>(visit->verdicts);
  return std::nullopt;
}

RunLedger ledger_of(const PromptHistory& history, std::uint64_t least_verdicts) {
  RunLedger ledger;
  ledger.least_verdicts = least_verdicts;
  ledger.rows.resize(history.prompts.size());
  for (std::size_t i = 0; i < history.prompts.size(); ++i) {
    LedgerRow& row = ledger.rows[i];
    row.id = history.prompts[i].id;
    row.key = history.prompts[i].key;
    row.text = history.prompts[i].text;
  }
  for (const PromptVisit& visit : history.visits) {
    LedgerRow& row = ledger.rows[visit.prompt];
    row.streak.visit(visit.verdicts, visit.right);
    row.verdicts += visit.verdicts;
    row.right += visit.right;
    row.rollouts += visit.generated;
    row.trained += visit.trained;
    row.tokens += visit.tokens;
    row.last_cause = visit.cause;
    row.visits.push_back({visit.step, visit.verdicts, visit.right});
    ++ledger.causes[static_cast<std::size_t>(visit.cause)];
    ledger.steps = std::max(ledger.steps, visit.step + 1);
  }
  for (LedgerRow& row : ledger.rows) {
    row.state = row.streak.now(least_verdicts);
    count(ledger.counts, row.state, 1);
  }
  std::sort(ledger.rows.begin(), ledger.rows.end(), before);
  return ledger;
}

RunLedger ledger_of_run(const RunFolderPath& run, std::uint64_t least_verdicts) {
  const RunReader check(run);  // says what is wrong with a folder that holds no run
  return ledger_of(read_prompt_history(run), least_verdicts);
}

std::vector<LedgerAfterStep> ledger_over_steps(const PromptHistory& history,
                                               std::uint64_t least_verdicts) {
  std::vector<LedgerAfterStep> steps;
  std::vector<VerdictStreak> streaks(history.prompts.size());
  LedgerCounts counts;
  counts.unseen = history.prompts.size();
  for (const PromptVisit& visit : history.visits) {
    if (steps.empty() || steps.back().step != visit.step) steps.push_back({visit.step, counts});
    VerdictStreak& streak = streaks[visit.prompt];
    count(counts, streak.now(least_verdicts), ~std::uint64_t{0});  // one less
    streak.visit(visit.verdicts, visit.right);
    count(counts, streak.now(least_verdicts), 1);
    steps.back().counts = counts;
  }
  return steps;
}

bool LedgerFilter::wants(PromptState state) const {
  if (!dead && !solved && !mixed && !unseen) return true;
  return (dead && state == PromptState::Dead) || (solved && state == PromptState::Solved) ||
         (mixed && state == PromptState::Mixed) || (unseen && state == PromptState::Unseen);
}

std::vector<const LedgerRow*> filtered(const RunLedger& ledger, const LedgerFilter& filter) {
  std::vector<const LedgerRow*> rows;
  bool known = filter.key.empty();
  for (const LedgerRow& row : ledger.rows) {
    if (!filter.key.empty() && row.key != filter.key) continue;
    known = true;
    if (filter.wants(row.state)) rows.push_back(&row);
  }
  if (!known)
    throw Error(ErrorKind::Data, "ledger",
                concat("no step of the run planned a prompt with the key '", filter.key, "'"),
                "without --key all keys are listed");
  return rows;
}

}  // namespace allot
