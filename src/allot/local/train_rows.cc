#include "allot/local/train_rows.h"

#include <algorithm>
#include <cmath>

#include "allot/core/error.h"

namespace allot {
namespace {

[[noreturn]] void broken(const std::string& what) {
  throw Error(ErrorKind::Internal, "learner", what);
}

// Throws unless the policy that generated the rollout left log-probabilities.
void check_behaviour(const Rollout& rollout) {
  if (rollout.logp.size() != rollout.tokens.size())
    broken(concat("rollout ", rollout.id, " has ", rollout.logp.size(), " log-probabilities for ",
                  rollout.tokens.size(),
                  " tokens; a ratio against the generating policy needs one each"));
  if (std::any_of(rollout.logp.begin(), rollout.logp.end(), [](float x) { return std::isnan(x); }))
    broken(concat("rollout ", rollout.id, " has a log-probability that is not a number"));
}

TrainRow row_of(const TrainItem& item, const TrainGroup& group, const RolloutStore& store,
                double prompt_weight) {
  TrainRow row;
  row.stored = &store.get(item.rollout);
  row.advantage = item.advantage;
  row.weight = item.weight * prompt_weight;
  row.anchor_kind = item.anchor;
  if (!std::isfinite(row.advantage) || !std::isfinite(row.weight))
    broken(concat("rollout ", item.rollout, " has advantage ", row.advantage, " and weight ",
                  row.weight, "; finite ones are needed"));
  if (row.stored->rollout.prompt != group.prompt)
    broken(concat("rollout ", item.rollout, " answers prompt ", row.stored->rollout.prompt,
                  ", but its group is of prompt ", group.prompt));
  if (row.active() && item.anchor == Anchor::Behaviour) check_behaviour(row.stored->rollout);
  return row;
}

void check_length(const TrainRow& row, std::size_t prompt, int context, const std::string& key) {
  if (prompt + row.tokens() <= static_cast<std::size_t>(context) + 1) return;
  throw Error(ErrorKind::Data, "learner",
              concat("prompt ", key, " has ", prompt, " tokens and a response ", row.tokens(),
                     "; together they must fit the model's context of ", context));
}

}  // namespace

bool TrainRow::has_advantage() const {
  if (token_advantage.empty()) return advantage != 0;
  return std::any_of(token_advantage.begin(), token_advantage.end(),
                     [](double a) { return a != 0; });
}

TrainRows train_rows(const TrainBatch& batch, const RolloutStore& store,
                     const PromptSource& prompts, const Tokenizer& tokenizer, int context) {
  TrainRows out;
  std::vector<bool> used(batch.items.size(), false);
  for (std::size_t g = 0; g < batch.groups.size(); ++g) {
    const TrainGroup& group = batch.groups[g];
    const Prompt& prompt = prompts.get(group.prompt);
    out.prompts.push_back(tokenizer.encode(prompt.text));
    if (out.prompts.back().empty())
      throw Error(ErrorKind::Data, "learner",
                  concat("prompt ", prompt.key, " has no tokens; at least one is needed"));
    for (std::uint32_t i = 0; i < group.count; ++i) {
      const std::size_t index = std::size_t{group.first} + i;
      if (index >= used.size() || used[index])
        broken(concat("group ", g, " names item ", index, ", which ",
                      index < used.size() ? "another group has" : "does not exist"));
      used[index] = true;
      out.rows.push_back(row_of(batch.items[index], group, store, prompt.weight));
      out.rows.back().group = static_cast<std::uint32_t>(g);
      check_length(out.rows.back(), out.prompts.back().size(), context, prompt.key);
    }
  }
  if (out.rows.size() != batch.items.size())
    broken(concat(batch.items.size() - out.rows.size(), " items belong to no group"));
  return out;
}

std::vector<RowRange> mini_batches(const TrainRows& rows, std::size_t wanted) {
  const std::size_t total = rows.rows.size();
  const std::size_t count =
      wanted == 0 ? 1 : std::max<std::size_t>(1, (total + wanted / 2) / wanted);
  std::vector<RowRange> out;
  std::size_t last_part = 0;
  for (std::size_t i = 0; i < total;) {
    std::size_t end = i;
    while (end < total && rows.rows[end].group == rows.rows[i].group) ++end;
    // A group belongs to the part that its first row falls into.
    const std::size_t part = i * count / total;
    if (out.empty() || part != last_part) out.push_back({i, 0});
    out.back().count += end - i;
    last_part = part;
    i = end;
  }
  return out;
}

std::vector<PackGroup> pack_groups(const TrainRows& rows, std::span<const std::uint32_t> which) {
  std::vector<PackGroup> out;
  std::uint32_t open = 0;
  for (const std::uint32_t index : which) {
    const TrainRow& row = rows.rows[index];
    if (out.empty() || row.group != open) {
      out.emplace_back();
      out.back().prompt = rows.prompts[row.group];
      open = row.group;
    }
    out.back().responses.push_back(row.stored->rollout.tokens);
    out.back().item.push_back(index);
  }
  return out;
}

}  // namespace allot
