#include "allot/methods/parts/curation.h"

#include <array>
#include <cmath>

namespace allot {
namespace {

Positions kept_of(const Group& group, Stratum stratum, const CurationOptions& options,
                  RandomStream stream) {
  Positions scored = positions(group.scored());
  if (stratum == Stratum::Partial)
    return keep_correct_and_some_wrong(positions(group.scored_with(true)),
                                       positions(group.scored_with(false)),
                                       static_cast<std::uint32_t>(options.kept_wrong), stream);
  if (!one_sided(stratum)) return scored;
  if (options.degenerate == OneSidedScale::Off) return {};
  return random_subset(scored, static_cast<std::uint32_t>(options.kept_one_sided), stream);
}

// The posterior counts all rollouts of the group, not only the kept ones.
double one_sided_advantage(const Group& group, Stratum stratum, const CurationOptions& options) {
  const bool correct = stratum == Stratum::AllPass;
  const double u =
      posterior_mean(group.correct_count(), group.scored_count(), options.prior_a, options.prior_b);
  if (options.degenerate == OneSidedScale::NoneStd) return (correct ? 1.0 : 0.0) - u;
  return bernoulli_advantage(correct, u);
}

bool none_correct_at_first(const Group& group) {
  for (const std::uint32_t i : group.scored_with(true))
    if (group[i].round == 0) return false;
  return true;
}

}  // namespace

std::vector<CuratedGroup> curate(const std::vector<Group>& groups, const CurationOptions& options,
                                 const AdvantageRule& rule, std::uint64_t seed,
                                 std::uint64_t step) {
  std::vector<CuratedGroup> curated;
  Ragged<double> rewards;  // of mixed groups; empty for the others
  for (const Group& group : groups) {
    CuratedGroup c{&group};
    c.stratum = stratum_of(group.correct_count(), group.scored_count(), options.high);
    c.kept = kept_of(group, c.stratum, options, selection_stream(seed, step, group.prompt));
    if (one_sided(c.stratum))
      rewards.close();
    else
      group.add_rewards(c.kept, rewards);
    curated.push_back(std::move(c));
  }
  const auto advantages = group_advantages(std::move(rewards), rule);
  for (std::size_t i = 0; i < curated.size(); ++i) {
    CuratedGroup& c = curated[i];
    if (one_sided(c.stratum))
      c.advantages.assign(c.kept.size(), one_sided_advantage(*c.group, c.stratum, options));
    else
      c.advantages.assign(advantages[i].begin(), advantages[i].end());
    if (has_signal(c.advantages)) continue;
    c.kept.clear();
    c.advantages.clear();
  }
  return curated;
}

MetricList curation_metrics(const std::vector<CuratedGroup>& curated) {
  struct Sum {
    std::size_t groups = 0, kept = 0;
    double abs_advantage = 0;
  };
  std::array<Sum, 5> of{};  // by Stratum
  std::size_t kept = 0, scored = 0, zero_at_first = 0;
  for (const CuratedGroup& c : curated) {
    Sum& sum = of[static_cast<std::size_t>(c.stratum)];
    ++sum.groups;
    sum.kept += c.kept.size();
    for (const double a : c.advantages) sum.abs_advantage += std::abs(a);
    kept += c.kept.size();
    scored += c.stratum != Stratum::Unscored;
    zero_at_first += c.stratum != Stratum::Unscored && none_correct_at_first(*c.group);
  }
  const auto in = [&](Stratum stratum) { return of[static_cast<std::size_t>(stratum)]; };
  MetricList metrics;
  metrics.set_share("kept_per_prompt", kept, curated.size());
  metrics.set_share("share_partial", in(Stratum::Partial).groups, scored);
  metrics.set_share("share_high", in(Stratum::High).groups, scored);
  const std::size_t all_pass = in(Stratum::AllPass).kept > 0 ? in(Stratum::AllPass).groups : 0;
  metrics.set_share("share_all_pass_kept", all_pass, scored);
  metrics.set_share("zero_ratio_explore", zero_at_first, scored);
  metrics.set_share("zero_ratio_after_rescue", in(Stratum::AllFail).groups, scored);
  const std::array<const char*, 5> names = {"", "all_fail", "partial", "high", "all_pass"};
  for (std::size_t i = 1; i < of.size(); ++i)
    metrics.set_share(std::string("abs_advantage_") + names[i], of[i].abs_advantage, of[i].kept);
  return metrics;
}

}  // namespace allot
