#include "allot/loop/rollout_store.h"

#include <utility>

#include "allot/core/error.h"
#include "allot/core/prompt_id.h"
#include "allot/core/state.h"

namespace allot {
namespace {

constexpr std::uint32_t kVersion = 2;

std::size_t bytes_of(const StoredRollout& stored) {
  const Rollout& rollout = stored.rollout;
  return sizeof(StoredRollout) + rollout.tokens.size() * sizeof(rollout.tokens[0]) +
         rollout.logp.size() * sizeof(rollout.logp[0]) + rollout.text.size() +
         stored.score.parts.size() * sizeof(float) + stored.score.answer.size() +
         stored.score.reason.size();
}

// The saved form of one held rollout.
struct Record {
  StoredRollout stored;

  template <class V>
  void state(V& v) {
    Rollout& r = stored.rollout;
    v(r.id), v(r.prompt), v(r.tag), v(r.seq), v(r.round), v(r.behaviour), v(r.status);
    v(r.tokens), v(r.unkept_tokens), v(r.logp), v(r.mean_entropy), v(r.text);
    Score& s = stored.score;
    v(s.scoring), v(s.reward), v(s.parts), v(s.correct), v(s.parsed), v(s.answer), v(s.reason);
    v(stored.step);
  }
};

struct Held {
  std::vector<Record> records;
  std::vector<RolloutId> lost;  // evicted, not yet reported

  template <class V>
  void state(V& v) {
    v(records), v(lost);
  }
};

}  // namespace

RolloutStore::RolloutStore(std::size_t max_held_bytes) : max_held_bytes_(max_held_bytes) {}

void RolloutStore::add(Rollout rollout, Score score, std::uint64_t step) {
  const RolloutId id = rollout.id;
  const auto [where, inserted] =
      rollouts_.emplace(id, StoredRollout{std::move(rollout), std::move(score), step});
  if (!inserted)
    throw Error(ErrorKind::Internal, "rollout store", concat("rollout ", id, " was added twice"));
}

bool RolloutStore::contains(RolloutId id) const { return rollouts_.count(id) != 0; }

const StoredRollout& RolloutStore::get(RolloutId id) const {
  const auto found = rollouts_.find(id);
  if (found == rollouts_.end())
    throw Error(ErrorKind::Internal, "rollout store",
                concat("rollout ", id, " is not here; it was dropped or never generated"));
  return found->second;
}

std::vector<RolloutId> RolloutStore::ids() const {
  std::vector<RolloutId> all;
  for (const auto& [id, stored] : rollouts_) all.push_back(id);
  return all;
}

void RolloutStore::end_step(std::span<const RolloutId> hold, std::span<const RolloutId> release) {
  for (const RolloutId id : hold) held_.emplace(id, bytes_of(get(id)));
  for (const RolloutId id : release) held_.erase(id);
  drop_step();
  evict();
}

void RolloutStore::drop_step() {
  std::erase_if(rollouts_, [&](const auto& entry) { return held_.count(entry.first) == 0; });
}

void RolloutStore::evict() {
  std::size_t total = 0;
  for (const auto& [id, bytes] : held_) total += bytes;
  while (total > max_held_bytes_ && !held_.empty()) {
    const auto oldest = held_.begin();  // ids count up, so the smallest is the oldest
    total -= oldest->second;
    lost_.push_back(oldest->first);
    rollouts_.erase(oldest->first);
    held_.erase(oldest);
  }
}

std::vector<RolloutId> RolloutStore::take_lost() { return std::exchange(lost_, {}); }

std::string RolloutStore::save() const {
  Held held;
  for (const auto& [id, bytes] : held_) held.records.push_back({rollouts_.at(id)});
  held.lost = lost_;
  return save_state("held rollouts", kVersion, held);
}

void RolloutStore::load(std::string_view blob) {
  Held held;
  load_state("held rollouts", kVersion, blob, held);
  rollouts_.clear();
  held_.clear();
  lost_ = std::move(held.lost);
  for (Record& record : held.records) {
    const RolloutId id = record.stored.rollout.id;
    held_.emplace(id, bytes_of(record.stored));
    rollouts_.emplace(id, std::move(record.stored));
  }
}

Outcome outcome_of(const StoredRollout& stored) {
  const Rollout& rollout = stored.rollout;
  const Score& score = stored.score;
  Outcome outcome;
  outcome.id = rollout.id;
  outcome.prompt = rollout.prompt;
  outcome.tag = rollout.tag;
  outcome.seq = rollout.seq;
  outcome.round = rollout.round;
  outcome.behaviour = rollout.behaviour;
  outcome.status = rollout.status;
  outcome.scoring = score.scoring;
  outcome.reward = score.reward;
  outcome.parts = score.parts;
  outcome.correct = score.correct;
  outcome.parsed = score.parsed;
  outcome.tokens = rollout.length();
  if (score.parsed && !score.answer.empty())
    outcome.answer_class = static_cast<std::int64_t>(hash_bytes(score.answer) >> 1);
  double sum = 0;
  for (const float logp : rollout.logp) sum += logp;
  if (!rollout.logp.empty())
    outcome.mean_logprob = static_cast<float>(sum / static_cast<double>(rollout.logp.size()));
  outcome.mean_entropy = rollout.mean_entropy;
  return outcome;
}

}  // namespace allot
