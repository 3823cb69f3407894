#include "allot/objective/testing/golden.h"

#include <cmath>

namespace allot::objective {
namespace {

LossOptions clip(double low, double high) {
  LossOptions options;
  options.preset = "custom";
  options.clip_low = low;
  options.clip_high = high;
  return options;
}

LossOptions with_corner(double dual_clip_c, double ratio_cap) {
  LossOptions options = clip(.2, .28);
  options.dual_clip_c = dual_clip_c;
  options.ratio_cap = ratio_cap;
  return options;
}

// The +-z scores exactly: (1 - .5) / (sqrt(1/3) + eps); the printed ones have only six decimals.
double z_score(double eps) { return 0.5 / (std::sqrt(1.0 / 3) + eps); }

std::vector<LossRow> two_groups(double advantage) {
  std::vector<LossRow> rows = golden_rows(advantage);
  rows[3].group = 1;
  return rows;
}

}  // namespace

std::vector<LossRow> golden_rows(double advantage) {
  const std::vector<std::vector<double>> mu = {
      {-.50, -1.20, -.10}, {-.30, -2.00}, {-.05, -1.10, -3.00, -.40}, {-1.50}};
  const std::vector<std::vector<double>> old = {
      {-.52, -1.10, -.11}, {-.31, -2.20}, {-.05, -.95, -2.60, -.42}, {-1.45}};
  const std::vector<std::vector<double>> current = {
      {-.40, -.80, -.09}, {-.45, -2.60}, {-.04, -1.30, -2.10, -.45}, {-.60}};
  const std::vector<std::vector<double>> reference = {
      {-.60, -1.30, -.12}, {-.28, -1.90}, {-.06, -.85, -3.20, -.41}, {-1.60}};
  std::vector<LossRow> rows(4);
  for (std::size_t i = 0; i < 4; ++i) {
    rows[i].advantage = i % 2 == 0 ? advantage : -advantage;
    rows[i].logprob = current[i];
    rows[i].old = old[i];
    rows[i].rollout = mu[i];
    rows[i].reference = reference[i];
  }
  return rows;
}

std::vector<GoldenLoss> golden_losses() {
  const Normalizer token_mean{Aggregation::TokenMean, 0, 0};
  std::vector<GoldenLoss> out;
  out.push_back({"DAPO .2/.28, token mean",
                 golden_rows(z_score(1e-4)),
                 clip(.2, .28),
                 token_mean,
                 -0.29300159,
                 {-.097627, 0, -.088337, .075276, 0, -.087458, -.061017, 0, -.084028, .202584}});
  out.push_back({"DAPO with dual clip 2, advantage eps 1e-6",
                 golden_rows(z_score(1e-6)),
                 with_corner(2, 0),
                 token_mean,
                 -0.32246606,
                 {-.097644, 0, -.088352, .075289, 0, -.087473, -.061028, 0, -.084043, 0}});
  out.push_back({"DAPO with ratio cap 1.3",
                 golden_rows(z_score(1e-4)),
                 with_corner(0, 1.3),
                 token_mean,
                 -0.38302205,
                 {-.097627, 0, -.088337, .075276, 0, -.087458, -.061017, 0, -.084028, 0}});
  out.push_back({"Dr.GRPO .2, C = 4",
                 golden_rows(kGoldenCentred),
                 clip(.2, .2),
                 {Aggregation::SeqMeanTokenSumNorm, 0, 4},
                 -0.10074615,
                 {-.035234, 0, -.031881, .027167, 0, -.031564, -.022022, 0, -.030326, .073114}});
  out.push_back({"leave-one-out, PPO .2, token mean",
                 golden_rows(kGoldenLeaveOneOut),
                 clip(.2, .2),
                 token_mean,
                 -0.21492513,
                 {-.075166, 0, -.068013, .057957, 0, -.067337, -.046979, 0, -.064696, .155976}});
  out.push_back({"PPO .2, prompt mean over groups {1,2,3} and {4}",
                 two_groups(kGoldenZScore),
                 clip(.2, .2),
                 {Aggregation::PromptMean, 0, 0},
                 0.83216752,
                 {-.054237, 0, -.049076, .062730, 0, -.036441, -.025424, 0, -.035012, 1.012921}});
  return out;
}

}  // namespace allot::objective
