#include "allot/lm/rope_scaling.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "allot/core/error.h"
#include "allot/lm/config.h"

namespace allot::lm {
namespace {

constexpr double kTurn = 2 * std::numbers::pi;

void require(bool holds, const char* field, double value, const char* needed) {
  if (!holds) {
    throw Error(ErrorKind::Config, concat("rope_scaling.", field),
                concat(value, " was given; ", needed));
  }
}

int original_context(const ModelConfig& c) {
  return c.rope_scaling.original_context > 0 ? c.rope_scaling.original_context : c.context;
}

double llama3_frequency(double w, const ModelConfig& c) {
  const RopeScaling& s = c.rope_scaling;
  const double original = original_context(c), turns = original * w / kTurn;  // original / l
  if (turns > s.high_freq_factor) return w;
  if (turns < s.low_freq_factor) return w / s.factor;
  const double smooth = (turns - s.low_freq_factor) / (s.high_freq_factor - s.low_freq_factor);
  return (1 - smooth) * w / s.factor + smooth * w;
}

// Of dimension i, how much of the stretched frequency is taken: 0 for those that turn often, 1 for
// those that turn seldom.
struct YarnRamp {
  double low, high;

  explicit YarnRamp(const ModelConfig& c) {
    const RopeScaling& s = c.rope_scaling;
    const auto dimension_of = [&](double turns) {
      return c.head_dim * std::log(original_context(c) / (turns * kTurn)) /
             (2 * std::log(c.rope_theta));
    };
    low = dimension_of(s.beta_fast);
    high = dimension_of(s.beta_slow);
    if (s.truncate) low = std::floor(low), high = std::ceil(high);
    low = std::max(low, 0.0);
    high = std::min(high, c.head_dim - 1.0);
    if (low == high) high += 0.001;
  }
  double at(int i) const { return std::clamp((i - low) / (high - low), 0.0, 1.0); }
};

double yarn_scale(double factor, double mscale) {
  return factor <= 1 ? 1.0 : 0.1 * mscale * std::log(factor) + 1;
}

double yarn_amplitude(const RopeScaling& s) {
  if (s.attention_factor > 0) return s.attention_factor;
  if (s.mscale > 0 && s.mscale_all_dim > 0) {
    return yarn_scale(s.factor, s.mscale) / yarn_scale(s.factor, s.mscale_all_dim);
  }
  return yarn_scale(s.factor, 1);
}

}  // namespace

void RopeScaling::validate() const {
  const auto positive = [](double x) { return x > 0 && std::isfinite(x); };
  const auto not_negative = [](double x) { return x >= 0 && std::isfinite(x); };
  require(factor >= 1 && std::isfinite(factor), "factor", factor, "at least 1 is needed");
  require(original_context >= 0, "original_max_position_embeddings", original_context,
          "a positive number is needed");
  require(positive(low_freq_factor), "low_freq_factor", low_freq_factor,
          "a positive number is needed");
  require(high_freq_factor > low_freq_factor && std::isfinite(high_freq_factor), "high_freq_factor",
          high_freq_factor, "more than low_freq_factor is needed");
  require(positive(beta_slow), "beta_slow", beta_slow, "a positive number is needed");
  require(beta_fast >= beta_slow && std::isfinite(beta_fast), "beta_fast", beta_fast,
          "at least beta_slow is needed");
  require(not_negative(attention_factor), "attention_factor", attention_factor,
          "a positive number is needed");
  require(not_negative(mscale), "mscale", mscale, "a positive number is needed");
  require(not_negative(mscale_all_dim), "mscale_all_dim", mscale_all_dim,
          "a positive number is needed");
}

RopeFrequencies rope_frequencies(const ModelConfig& c) {
  RopeFrequencies out;
  out.inverse.resize(c.head_dim / 2);
  for (int i = 0; i < c.head_dim / 2; ++i) {
    out.inverse[i] = std::pow(c.rope_theta, -2.0 * i / c.head_dim);
  }
  const RopeScaling& s = c.rope_scaling;
  switch (s.type) {
    case RopeType::Default:
      break;
    case RopeType::Linear:
      for (double& w : out.inverse) w /= s.factor;
      break;
    case RopeType::Llama3:
      for (double& w : out.inverse) w = llama3_frequency(w, c);
      break;
    case RopeType::Yarn: {
      const YarnRamp ramp(c);
      for (int i = 0; i < c.head_dim / 2; ++i) {
        out.inverse[i] *= ramp.at(i) / s.factor + 1 - ramp.at(i);
      }
      out.amplitude = yarn_amplitude(s);
      break;
    }
  }
  return out;
}

}  // namespace allot::lm
