// Options of the policy loss, loss.*: presets, clipping, aggregation.
//
//   L = - sum_{i,t} omega_it * v_i * A_i * f(r_it)
//
// with omega from normalizer.h, v_i the item weight, A_i its advantage, f the surrogate of
// surrogate.h and r_it the importance ratio against the item's anchor. The factors are chosen
// independently; a preset only fills in the ones that were not given. Source: objectives, sections
// 1, 3, 6, 10 and 12.
#pragma once

#include <string>
#include <vector>

#include "allot/core/options.h"

namespace allot::objective {

enum class Preset { Custom, Dapo, Grpo, DrGrpo };

enum class Surrogate { PpoClip };

// Weight of one token; names as in objectives, section 10. Method: what the batch's Norm says.
enum class Aggregation {
  Method,
  TokenMean,
  TokenSum,
  SeqMeanTokenMean,
  SeqMeanTokenSum,
  SeqMeanTokenSumNorm,
  PromptMean
};

struct LossOptions {
  static constexpr double kOfPreset = -1;  // "not given": the preset's value

  Preset preset = Preset::Dapo;
  bool preset_full = false;
  Surrogate surrogate = Surrogate::PpoClip;
  double clip_low = kOfPreset, clip_high = kOfPreset;
  double dual_clip_c = 0;  // 0 = off
  double ratio_cap = 0;    // 0 = off
  Aggregation aggregation = Aggregation::Method;
  double norm_constant = 0;   // C of SeqMeanTokenSumNorm
  double length_divisor = 0;  // 0: mean over a response's tokens
  double log_ratio_clamp = 20;

  // A copy in which no value is left to the preset. Expanding twice changes nothing.
  LossOptions expanded() const;

  // Throws Error(Config) naming the keys that contradict each other. Also on unexpanded options.
  void validate() const;

  // What a user should be told once at start-up.
  std::vector<std::string> warnings() const;

  template <class V>
  void fields(V& v);
};

template <class V>
void LossOptions::fields(V& v) {
  v("preset", preset,
    Choices<Preset>{{"dapo", Preset::Dapo},
                    {"grpo", Preset::Grpo},
                    {"dr_grpo", Preset::DrGrpo},
                    {"custom", Preset::Custom}},
    "published loss whose settings apply where no other key is given: dapo clips at .2/.28, grpo, "
    "dr_grpo and custom at .2/.2");
  v("preset_full", preset_full,
    "the preset also sets loss.aggregation; otherwise the allocation method's normaliser stays");
  v("surrogate", surrogate, Choices<Surrogate>{{"ppo_clip", Surrogate::PpoClip}},
    "what is made of the importance ratio r and the advantage A: ppo_clip = min(r A, clip(r) A)");
  v("clip_low", clip_low, Range{-1, 1},
    "r below 1 - clip_low gives no gradient where A < 0; -1 = the preset's");
  v("clip_high", clip_high, Range{-1, 1e6},
    "r above 1 + clip_high gives no gradient where A > 0; -1 = the preset's");
  v("dual_clip_c", dual_clip_c, Range{0, 1e6},
    "where A < 0 the loss of a token is at most this times |A|; 0 = off, otherwise above 1");
  v("ratio_cap", ratio_cap, Range{0, 1e6},
    "largest r in the unclipped branch; 0 = off, otherwise above 1 + clip_high");
  v("aggregation", aggregation,
    Choices<Aggregation>{{"method", Aggregation::Method},
                         {"token_mean", Aggregation::TokenMean},
                         {"token_sum", Aggregation::TokenSum},
                         {"seq_mean_token_mean", Aggregation::SeqMeanTokenMean},
                         {"seq_mean_token_sum", Aggregation::SeqMeanTokenSum},
                         {"seq_mean_token_sum_norm", Aggregation::SeqMeanTokenSumNorm},
                         {"prompt_mean", Aggregation::PromptMean}},
    "how tokens are averaged; method = as the allocation method asks");
  v("norm_constant", norm_constant, Range{0, 1e9},
    "C of seq_mean_token_sum_norm, which needs it, e.g. the longest response");
  v("length_divisor", length_divisor, Range{0, 1e9},
    "the mean over a response's tokens becomes their sum divided by this (Dr.GRPO form), unless "
    "the method sets its own; 0 = mean");
  v("log_ratio_clamp", log_ratio_clamp, Range{1e-3, 80},
    "log r is kept within plus and minus this; beyond it there is no gradient");
}

}  // namespace allot::objective
