// The choices of the policy loss and the options of its single factors; options.h puts them
// together. In every one `OfPreset` (or -1, or an empty list) means "as the preset says".
// Source: objectives, section 3.
#pragma once

#include "allot/core/options.h"

namespace allot::objective {

enum class Compat { None, Trl, Verl, OpenRlhf };

enum class Surrogate {
  OfPreset,
  PpoClip,
  ClippedWeight,
  Soft,
  GammaWeight,
  GeometricMean,
  Reinforce,
  FlowBalance
};

// What takes the place of the ratio of one token.
enum class ImportanceLevel {
  OfPreset,
  Token,
  SequenceGeometric,
  SequenceGeometricToken,
  SequenceProduct
};

enum class RatioAnchor { OfPreset, Old, Rollout };
enum class Switch { OfPreset, Off, On };

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

inline Choices<Switch> switch_choices() {
  return {{"preset", Switch::OfPreset}, {"false", Switch::Off}, {"true", Switch::On}};
}

enum class Divergence { OfPreset, BinaryTv, BinaryKl, TopKTv, TopKKl };

// loss.divergence.*, of the mask `divergence` (Divergence PPO, arXiv 2602.04879).
struct DivergenceOptions {
  Divergence kind = Divergence::OfPreset;
  double delta_low = -1, delta_high = -1;

  template <class V>
  void fields(V& v) {
    v("kind", kind,
      Choices<Divergence>{{"preset", Divergence::OfPreset},
                          {"binary_tv", Divergence::BinaryTv},
                          {"binary_kl", Divergence::BinaryKl},
                          {"top_k_tv", Divergence::TopKTv},
                          {"top_k_kl", Divergence::TopKKl}},
      "total variation or KL(mu, pi), over {sampled token, rest} or over mu's likeliest tokens, "
      "the sampled one and the rest");
    v("delta_low", delta_low, Range{-1, 1e3},
      "largest divergence of a token with A <= 0 that moves away; -1 = the preset's: .15 for tv, "
      ".05 for kl");
    v("delta_high", delta_high, Range{-1, 1e3}, "the same where A > 0");
  }
};

enum class CurvatureOptimizer { OfPreset, Sgd, Adam };

// loss.curvature.*, of the mask `curvature` (CAPO, arXiv 2510.00819).
struct CurvatureOptions {
  CurvatureOptimizer optimizer = CurvatureOptimizer::OfPreset;
  double delta_f = -1, delta_h = -1;
  bool symmetric = true;
  double lr = 0;

  template <class V>
  void fields(V& v) {
    v("optimizer", optimizer,
      Choices<CurvatureOptimizer>{{"preset", CurvatureOptimizer::OfPreset},
                                  {"sgd", CurvatureOptimizer::Sgd},
                                  {"adam", CurvatureOptimizer::Adam}},
      "optimizer whose step is modelled; adam keeps moments of the last layer's rows");
    v("delta_f", delta_f, Range{-1, 1e9}, "bound of the Fisher term m_F; -1 = the preset's");
    v("delta_h", delta_h, Range{-1, 1e9}, "bound of the Hessian term m_H; -1 = the preset's");
    v("symmetric", symmetric, "|m_H| < delta_h; otherwise 0 <= m_H < delta_h");
    v("lr", lr, Range{0, 1e6}, "learning rate of the modelled step, which the mask needs");
  }
};

enum class ObrsTarget { Old, Current };

// loss.obrs.*, of the mask `obrs` and the weight `obrs_reweight` (Jackpot, arXiv 2602.06107).
struct ObrsOptions {
  ObrsTarget target = ObrsTarget::Old;
  double lambda = 1, c1 = 3, c2 = 2;
  bool expected = false;

  template <class V>
  void fields(V& v) {
    v("target", target,
      Choices<ObrsTarget>{{"old", ObrsTarget::Old}, {"current", ObrsTarget::Current}},
      "distribution p that rejection sampling aims at");
    v("lambda", lambda, Range{1e-6, 1e6},
      "a token is accepted with probability min(1, p / (lambda mu)); a smaller one accepts more");
    v("c1", c1, Range{0, 1e9}, "largest weight after rejection");
    v("c2", c2, Range{0, 1e9}, "largest old / current, where the target is the current policy");
    v("expected", expected, "weigh each token by its probability instead of drawing");
  }
};

enum class RejectionStat { OfPreset, K1, K2, K3 };
enum class RejectionReduce { OfPreset, Token, SeqSum, SeqMean, SeqMax };

// loss.rejection.*, of the mask `rejection` on rho = old / rollout.
struct RejectionOptions {
  RejectionStat stat = RejectionStat::OfPreset;
  RejectionReduce reduce = RejectionReduce::OfPreset;
  double min = -1, max = -1;

  template <class V>
  void fields(V& v) {
    v("stat", stat,
      Choices<RejectionStat>{{"preset", RejectionStat::OfPreset},
                             {"k1", RejectionStat::K1},
                             {"k2", RejectionStat::K2},
                             {"k3", RejectionStat::K3}},
      "k1 = log rho, k2 = its square / 2, k3 = rho - 1 - log rho");
    v("reduce", reduce,
      Choices<RejectionReduce>{{"preset", RejectionReduce::OfPreset},
                               {"token", RejectionReduce::Token},
                               {"seq_sum", RejectionReduce::SeqSum},
                               {"seq_mean", RejectionReduce::SeqMean},
                               {"seq_max", RejectionReduce::SeqMax}},
      "by token, or one decision per response");
    v("min", min, Range{-1, 1e9}, "k1: kept if log rho >= log of this; 0 = no bound");
    v("max", max, Range{-1, 1e9},
      "k1: kept if log rho <= log of this; k2 and k3: kept if at most this");
  }
};

enum class MismatchWeight { OfPreset, None, Truncate, Mask, ObrsReweight };
enum class MismatchLevel { OfPreset, Token, Sequence, SequenceGeometric };

// loss.mismatch.*: the weight b for rho = old / rollout.
struct MismatchOptions {
  MismatchWeight weight = MismatchWeight::OfPreset;
  MismatchLevel level = MismatchLevel::OfPreset;
  double min = -1, max = -1;
  bool normalize = false;

  template <class V>
  void fields(V& v) {
    v("weight", weight,
      Choices<MismatchWeight>{{"preset", MismatchWeight::OfPreset},
                              {"none", MismatchWeight::None},
                              {"truncate", MismatchWeight::Truncate},
                              {"mask", MismatchWeight::Mask},
                              {"obrs_reweight", MismatchWeight::ObrsReweight}},
      "truncate = min(rho, max) (TIS); mask = rho inside [min, max], 0 outside (IcePop, MIS); "
      "obrs_reweight (Jackpot)");
    v("level", level,
      Choices<MismatchLevel>{{"preset", MismatchLevel::OfPreset},
                             {"token", MismatchLevel::Token},
                             {"sequence", MismatchLevel::Sequence},
                             {"sequence_geometric", MismatchLevel::SequenceGeometric}},
      "rho of a token, or product or geometric mean over the response");
    v("min", min, Range{-1, 1e9}, "least rho that mask keeps, and truncate raises to; 0 = none");
    v("max", max, Range{-1, 1e9}, "largest rho");
    v("normalize", normalize, "divide by the mean over the step's trained tokens");
  }
};

enum class KlPlacement { OfPreset, None, InReward, InLoss };
enum class KlEstimator { OfPreset, K1, Abs, K2, K3 };

// loss.kl.*: against the reference policy.
struct KlOptions {
  KlPlacement placement = KlPlacement::OfPreset;
  KlEstimator estimator = KlEstimator::OfPreset;
  double beta = -1;
  Switch straight_through = Switch::OfPreset, importance_weighted = Switch::OfPreset;
  double k3_cap = 1e300;  // no option: 10 where compat is verl, which cuts the value of k3 there

  template <class V>
  void fields(V& v) {
    v("placement", placement,
      Choices<KlPlacement>{{"preset", KlPlacement::OfPreset},
                           {"none", KlPlacement::None},
                           {"in_reward", KlPlacement::InReward},
                           {"in_loss", KlPlacement::InLoss}},
      "in_reward: taken from the reward, without gradient; in_loss: a term of its own");
    v("estimator", estimator,
      Choices<KlEstimator>{{"preset", KlEstimator::OfPreset},
                           {"k1", KlEstimator::K1},
                           {"abs", KlEstimator::Abs},
                           {"k2", KlEstimator::K2},
                           {"k3", KlEstimator::K3}},
      "of d = log pi - log ref: d, |d|, d^2 / 2, exp(-d) - 1 + d");
    v("beta", beta, Range{-1, 1e3}, "weight of the KL; -1 = the preset's");
    v("straight_through", straight_through, switch_choices(),
      "value of the estimator, gradient of k2");
    v("importance_weighted", importance_weighted, switch_choices(),
      "k3 times the ratio, with its gradient");
  }
};

// loss.entropy.*: the adaptive coefficient (entropy.h).
struct EntropyOptions {
  bool adaptive = false;
  double target = 0.2, step = 0.005;

  template <class V>
  void fields(V& v) {
    v("adaptive", adaptive,
      "loss.entropy_coef is only the first coefficient: it rises by step while the entropy is "
      "below target and falls otherwise");
    v("target", target, Range{0, 1e3}, "entropy aimed at, nats per token");
    v("step", step, Range{0, 1e3}, "change of the coefficient after each step");
  }
};

}  // namespace allot::objective
