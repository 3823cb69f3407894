#include "allot/local/loss_rows.h"

#include <utility>

namespace allot {

objective::LossRow loss_row(const TrainRow& row, std::vector<double> logprob,
                            std::vector<double> entropy) {
  const Rollout& rollout = row.stored->rollout;
  objective::LossRow out;
  out.group = row.group;
  out.advantage = row.advantage;
  out.weight = row.weight;
  out.anchor = row.anchor_kind;
  out.logprob = std::move(logprob);
  out.entropy = std::move(entropy);
  out.old = row.old;
  out.reference = row.reference;
  out.token_advantage = row.token_advantage;
  if (rollout.logp.size() == rollout.tokens.size())
    out.rollout.assign(rollout.logp.begin(), rollout.logp.end());
  out.truncated = rollout.status == Status::Truncated;
  out.rollout_id = rollout.id;
  return out;
}

objective::LossRow loss_row(const TrainRow& row, RowScore score) {
  objective::LossRow out = loss_row(row, std::move(score.logprob), std::move(score.entropy));
  const std::vector<std::int32_t>& tokens = row.stored->rollout.tokens;
  out.token_ids.assign(tokens.begin(), tokens.end());
  out.hidden = std::move(score.hidden);
  out.top = row.top;
  for (std::size_t t = 0; t < score.chosen.size(); ++t) out.top[t].current = score.chosen[t];
  if (!out.top.empty()) return out;
  for (TokenList& list : score.likeliest)
    out.top.push_back({std::move(list.ids), {}, std::move(list.logprob), {}});
  return out;
}

}  // namespace allot
