#include "allot/local/other_policies.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "allot/local/row_scores.h"
#include "allot/objective/requirements.h"

namespace allot {
namespace {

using Numbers = std::vector<std::uint32_t>;

// The ratio of a row on a behaviour anchor does not read the old policy; masks may.
bool reads_old(const objective::LossOptions& loss, const TrainRow& row) {
  return row.anchor_kind != Anchor::Behaviour || loss.has_mask("ppo_clip") ||
         loss.has_mask("divergence") || loss.has_mask("obrs");
}

bool is_current(const Rollout& rollout, const OldSource& source) {
  return source.exact && rollout.behaviour == source.version &&
         rollout.logp.size() == rollout.tokens.size();
}

// Ids of both lists, each once.
std::vector<std::int64_t> joined(const TokenList& a, const TokenList& b) {
  std::vector<std::int64_t> out = a.ids;
  for (const std::int64_t id : b.ids)
    if (std::find(a.ids.begin(), a.ids.end(), id) == a.ids.end()) out.push_back(id);
  return out;
}

}  // namespace

std::uint64_t set_old(const lm::Model& model, TrainRows& rows, std::span<const std::uint32_t> which,
                      const OldSource& source, const PolicyGradientSettings& settings) {
  Numbers unknown;
  for (const std::uint32_t i : which) {
    TrainRow& row = rows.rows[i];
    if (!row.old.empty() || !reads_old(settings.loss, row)) continue;
    const Rollout& rollout = row.stored->rollout;
    if (is_current(rollout, source))
      row.old.assign(rollout.logp.begin(), rollout.logp.end());
    else
      unknown.push_back(i);
  }
  if (unknown.empty()) return 0;
  RowScores found = score_rows(model, rows, unknown, settings);
  for (std::size_t i = 0; i < unknown.size(); ++i)
    rows.rows[unknown[i]].old = std::move(found.rows[i].logprob);
  return found.positions;
}

std::uint64_t set_reference(const lm::Model& reference, TrainRows& rows,
                            std::span<const std::uint32_t> which,
                            const PolicyGradientSettings& settings) {
  Numbers unknown;
  for (const std::uint32_t i : which)
    if (rows.rows[i].reference.empty()) unknown.push_back(i);
  if (unknown.empty()) return 0;
  RowScores found = score_rows(reference, rows, unknown, settings);
  for (std::size_t i = 0; i < unknown.size(); ++i)
    rows.rows[unknown[i]].reference = std::move(found.rows[i].logprob);
  return found.positions;
}

std::uint64_t set_top(const lm::Model& model, TrainRows& rows, std::span<const std::uint32_t> which,
                      const PolicyGradientSettings& settings) {
  RowScores found =
      score_rows(model, rows, which, settings, {objective::kLikeliestTokens, ChosenIds::None});
  for (std::size_t i = 0; i < which.size(); ++i)
    for (TokenList& list : found.rows[i].likeliest)
      rows.rows[which[i]].top.push_back({std::move(list.ids), list.logprob, {}, list.logprob});
  return found.positions;
}

std::uint64_t set_top(const lm::Model& model, const lm::Model& sampler, TrainRows& rows,
                      std::span<const std::uint32_t> which,
                      const PolicyGradientSettings& settings) {
  const ScoreWishes lists = {objective::kLikeliestTokens, ChosenIds::None};
  const RowScores mu = score_rows(sampler, rows, which, settings, lists);
  const RowScores old = score_rows(model, rows, which, settings, lists);
  for (std::size_t i = 0; i < which.size(); ++i)
    for (std::size_t t = 0; t < mu.rows[i].likeliest.size(); ++t)
      rows.rows[which[i]].top.push_back(
          {joined(mu.rows[i].likeliest[t], old.rows[i].likeliest[t]), {}, {}, {}});
  const ScoreWishes chosen = {0, ChosenIds::TopOfRows};
  RowScores mu_at = score_rows(sampler, rows, which, settings, chosen);
  RowScores old_at = score_rows(model, rows, which, settings, chosen);
  for (std::size_t i = 0; i < which.size(); ++i) {
    std::vector<objective::TopK>& top = rows.rows[which[i]].top;
    for (std::size_t t = 0; t < top.size(); ++t) {
      top[t].rollout = std::move(mu_at.rows[i].chosen[t]);
      top[t].old = std::move(old_at.rows[i].chosen[t]);
    }
  }
  return mu.positions + old.positions + mu_at.positions + old_at.positions;
}

}  // namespace allot
