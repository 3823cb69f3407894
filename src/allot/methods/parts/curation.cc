#include "allot/methods/parts/curation.h"

#include <array>
#include <cmath>

#include "allot/methods/parts/selectors.h"

namespace allot {
namespace {

// Adds the list of the group's kept positions.
void add_kept(const Group& group, Stratum stratum, const CurationOptions& options,
              RandomStream stream, Ragged<std::uint32_t>& kept) {
  if (stratum == Stratum::Partial)
    return add_correct_and_some_wrong(group, static_cast<std::uint32_t>(options.kept_wrong), stream,
                                      kept);
  if (!one_sided(stratum)) return kept.add(group.scored());
  if (options.degenerate != OneSidedScale::Off)
    for (const std::uint32_t i : group.scored()) kept.push(i);
  leave_random_subset(kept, static_cast<std::uint32_t>(options.kept_one_sided), stream);
  kept.close();
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

Curation curate(std::span<const Group> groups, const CurationOptions& options,
                const AdvantageRule& rule, std::uint64_t seed, std::uint64_t step) {
  Curation out{groups, {}, {}, {}};
  Ragged<std::uint32_t> chosen;
  Ragged<double> rewards;  // of mixed groups; empty for the others
  for (const Group& group : groups) {
    const Stratum stratum = stratum_of(group.correct_count(), group.scored_count(), options.high);
    add_kept(group, stratum, options, selection_stream(seed, step, group.prompt), chosen);
    if (one_sided(stratum))
      rewards.close();
    else
      group.add_rewards(chosen.back(), rewards);
    out.strata.push_back(stratum);
  }
  const auto relative = group_advantages(std::move(rewards), rule);
  for (std::size_t i = 0; i < groups.size(); ++i) {
    for (const double a : relative[i]) out.advantages.push(a);
    if (one_sided(out.strata[i]))
      out.advantages.push(chosen[i].size(), one_sided_advantage(groups[i], out.strata[i], options));
    if (has_signal(out.advantages.open()))
      for (const std::uint32_t position : chosen[i]) out.kept.push(position);
    else
      out.advantages.cut(0);
    out.advantages.close();
    out.kept.close();
  }
  return out;
}

MetricList curation_metrics(const Curation& curation) {
  struct Sum {
    std::size_t groups = 0, kept = 0;
    double abs_advantage = 0;
  };
  std::array<Sum, 5> of{};  // by Stratum
  std::size_t kept = 0, scored = 0, zero_at_first = 0;
  for (std::size_t i = 0; i < curation.groups.size(); ++i) {
    const bool has_score = curation.strata[i] != Stratum::Unscored;
    Sum& sum = of[static_cast<std::size_t>(curation.strata[i])];
    ++sum.groups;
    sum.kept += curation.kept[i].size();
    for (const double a : curation.advantages[i]) sum.abs_advantage += std::abs(a);
    kept += curation.kept[i].size();
    scored += has_score;
    zero_at_first += has_score && none_correct_at_first(curation.groups[i]);
  }
  const auto in = [&](Stratum stratum) { return of[static_cast<std::size_t>(stratum)]; };
  MetricList metrics;
  metrics.set_share("kept_per_prompt", kept, curation.groups.size());
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
