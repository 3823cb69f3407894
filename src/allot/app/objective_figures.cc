#include "allot/app/objective_figures.h"

#include <cmath>
#include <functional>

#include "allot/core/error.h"
#include "allot/objective/divergence.h"
#include "allot/objective/kl.h"
#include "allot/objective/mismatch.h"
#include "allot/objective/surrogate.h"
#include "allot/report/svg.h"

namespace allot {
namespace {

using objective::LossOptions;
using Function = std::function<double(double)>;

constexpr int kSteps = 400;

SvgSeries series(std::string name, int color, double from, double to, const Function& f) {
  SvgSeries out;
  out.name = std::move(name);
  out.color = color;
  for (int i = 0; i <= kSteps; ++i) {
    const double x = from + (to - from) * i / kSteps;
    out.points.push_back({x, f(x), std::nullopt, std::nullopt});
  }
  return out;
}

LossOptions expanded(const char* preset) {
  LossOptions o;
  o.preset = preset;
  return o.expanded();
}

// Coefficient of one token whose ratio is r.
double coefficient(const LossOptions& o, double r, double advantage) {
  if (objective::is_detached_weight(o.surrogate))
    return objective::detached_weight(o, std::log(r), advantage);
  return objective::surrogate(o, r, advantage).coefficient;
}

LineChart chart(std::string title, std::string x_label, std::string y_label) {
  LineChart out;
  out.title = title;
  out.description = std::move(title);
  out.x_label = std::move(x_label);
  out.y_label = std::move(y_label);
  out.x_format = TickFormat::Plain;
  out.y_from = 0;
  return out;
}

LineChart surrogates(double advantage) {
  LineChart out = chart(concat("Gradient coefficient where A ", advantage > 0 ? ">" : "<", " 0"),
                        "ratio r", "coefficient c");
  LossOptions dual = expanded("custom");
  dual.dual_clip_c = 3;
  int color = 0;
  const auto add = [&](const char* name, const LossOptions& o) {
    out.series.push_back(
        series(name, color++, .01, 4.5, [&](double r) { return coefficient(o, r, advantage); }));
  };
  add("dapo", expanded("dapo"));
  if (advantage < 0) add("dual clip 3", dual);
  add("cispo, 3", [] {
    LossOptions o = expanded("cispo");
    o.weight_max = 3;
    return o;
  }());
  add("sapo", expanded("sapo"));
  add("vespo", expanded("vespo"));
  add("reinforce", expanded("rloo"));
  return out;
}

LineChart trust_regions() {
  LineChart out = chart("Trust region of Divergence PPO, A > 0", "ratio r = pi / mu", "kept");
  const LossOptions o = expanded("dppo");
  int color = 0;
  for (const double mu : {.9, .5, .1})
    out.series.push_back(series(concat("mu = ", mu), color++, .01, 4.5, [&](double r) {
      if (mu * r > 1) return 0.0;  // no such policy
      const double d = objective::binary_tv(std::log(mu * r), std::log(mu));
      return r > 1 && d > o.divergence.delta_high ? 0.0 : r;
    }));
  out.y_label = "coefficient c";
  return out;
}

LineChart mismatch() {
  LineChart out = chart("Weight of the mismatch", "rho = old / rollout", "weight b");
  int color = 0;
  for (const char* preset : {"tis", "icepop", "mis"}) {
    const LossOptions o = expanded(preset);
    out.series.push_back(series(preset, color++, .01, 6, [&](double rho) {
      const double log = std::log(rho), all = 1;
      return objective::mismatch_weights(o.mismatch, {&log, 1}, {&all, 1})[0];
    }));
  }
  return out;
}

LineChart kl() {
  LineChart out = chart("Gradient of the KL estimators", "d = log pi - log ref", "d KL / d log pi");
  out.y_from = std::nullopt;
  int color = 0;
  const auto add = [&](const char* name, objective::KlEstimator estimator) {
    objective::KlOptions o;
    o.estimator = estimator;
    out.series.push_back(series(name, color++, -1.5, 1.5,
                                [&](double d) { return objective::kl_term(o, d, 1).coefficient; }));
  };
  add("k1", objective::KlEstimator::K1);
  add("abs", objective::KlEstimator::Abs);
  add("k2", objective::KlEstimator::K2);
  add("k3", objective::KlEstimator::K3);
  return out;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> objective_figures() {
  std::vector<std::pair<std::string, std::string>> out;
  const auto add = [&](const char* name, const LineChart& chart) {
    out.emplace_back(concat(name, ".svg"), svg_file(svg_line_chart(chart, name)));
  };
  add("surrogates-positive", surrogates(1));
  add("surrogates-negative", surrogates(-1));
  add("trust-regions", trust_regions());
  add("mismatch", mismatch());
  add("kl", kl());
  return out;
}

}  // namespace allot
