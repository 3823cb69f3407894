#include "allot/store/testing/synthetic_run.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "allot/core/error.h"
#include "allot/core/random.h"

namespace allot::testing {
namespace {

constexpr std::uint64_t kPool = 40;  // prompts in all
constexpr std::uint64_t kIdsPerStep = 4096;

class Ignore : public Recorder {
 public:
  void step(const StepRecord&) override {}
  void event(const Event&) override {}
};

}  // namespace

SyntheticPrompts::SyntheticPrompts(const std::string& text) {
  for (PromptId id = 0; id < kPool; ++id)
    prompts_[id] = {id, concat("row-", id), concat("What is ", id, " + 1? ", text),
                    std::to_string(id + 1), ""};
  for (const auto& [id, prompt] : prompts_) ids_.push_back(id);
}

const Prompt& SyntheticPrompts::get(PromptId id) const { return prompts_.at(id); }

double SyntheticWorld::accuracy(std::uint64_t step) const {
  const double share = run_.steps ? static_cast<double>(step) / static_cast<double>(run_.steps) : 0;
  const double rise = 1 - std::exp(-3 * run_.speed * share);
  const double whole = 1 - std::exp(-3 * std::max(1.0, run_.speed));
  return run_.first_accuracy + (run_.last_accuracy - run_.first_accuracy) * rise / whole;
}

EvalResult SyntheticWorld::evaluation(std::uint64_t step) const {
  RandomStream random({run_.seed, RandomUse::Test, step, 0, 7});
  EvalResult result;
  result.prompts = 200;
  result.group_size = 4;
  result.pass_at_1 = accuracy(step) + 0.01 * random.normal();
  result.pass_at_k = {result.pass_at_1, std::min(1.0, result.pass_at_1 * 1.5)};
  result.mean_reward = result.pass_at_1;
  result.mean_tokens = 12;
  return result;
}

// One step while it is drawn up.
struct SyntheticWorld::Draft {
  Draft(std::uint64_t seed, std::uint64_t step)
      : step(step), next(step * kIdsPerStep), random({seed, RandomUse::Test, step, 0, 3}) {}

  std::uint64_t step;
  RolloutId next;
  RandomStream random;
  std::vector<Issued> issued;
  std::vector<RolloutId> generated, untrained;
  TrainBatch batch;
  StepCost cost;
  double reward_sum = 0;
};

RolloutId SyntheticWorld::draw_rollout(Draft& draft, PromptId prompt, std::uint32_t seq, double p) {
  Rollout rollout;
  rollout.id = draft.next++;
  rollout.prompt = prompt;
  rollout.seq = seq;
  rollout.behaviour = static_cast<Version>(draft.step);
  rollout.tokens.assign(5 + draft.random.below(12), 1);
  Score score;
  score.correct = draft.random.uniform() < p;
  score.reward = score.correct ? 1 : 0;
  if (!run_.functions.empty())
    score.parts = {score.reward, rollout.tokens.size() < 10 ? 1.0f : 0.0f};
  score.answer = score.correct ? std::to_string(prompt + 1) : "?";
  rollout.text = run_.text + score.answer;
  draft.cost.generated += rollout.tokens.size();
  draft.generated.push_back(rollout.id);
  const RolloutId id = rollout.id;
  store_.add(std::move(rollout), std::move(score), draft.step);
  return id;
}

void SyntheticWorld::draw_group(Draft& draft, std::uint32_t g) {
  const PromptId prompt = (draft.step * run_.prompts + g) % kPool;
  const std::uint32_t n =
      run_.adaptive ? run_.group_size / 2 + g % (run_.group_size + 1) : run_.group_size;
  // Prompts differ: some are always solved, some never, as in real data.
  const double p = std::clamp(
      accuracy(draft.step) + 0.35 * std::sin(1.7 * static_cast<double>(prompt)), 0.0, 1.0);
  draft.issued.push_back({prompt, draft.next, n, 0, 0, 0, -1, 0});
  draft.cost.prefilled += 10;
  std::vector<RolloutId> group;
  std::uint32_t correct = 0;
  for (std::uint32_t i = 0; i < n; ++i) {
    group.push_back(draw_rollout(draft, prompt, i, p));
    correct += store_.get(group.back()).score.correct;
  }
  const float mean = n ? static_cast<float>(correct) / static_cast<float>(n) : 0;
  draft.reward_sum += mean;
  const bool mixed = correct > 0 && correct < n;
  const std::uint32_t kept = mixed ? std::min(n, run_.kept) : 0;
  TrainBatch& batch = draft.batch;
  const auto first = static_cast<std::uint32_t>(batch.items.size());
  for (std::uint32_t i = 0; i < kept; ++i) {
    const StoredRollout& stored = store_.get(group[i]);
    batch.items.push_back({group[i], stored.score.reward - mean, 1, Anchor::StepStart});
    draft.cost.trained += stored.rollout.tokens.size();
  }
  draft.untrained.insert(draft.untrained.end(), group.begin() + kept, group.end());
  if (kept > 0) batch.groups.push_back({prompt, first, kept, n, mean});
  const ZeroCause cause = mixed          ? ZeroCause::None
                          : correct == 0 ? ZeroCause::AllWrong
                                         : ZeroCause::AllRight;
  batch.reports.push_back({prompt, n, static_cast<float>(correct), mixed, kept, cause});
}

// Half of what was held is trained on now; all of it is given back, and new ones are held.
void SyntheticWorld::exchange_held(Draft& draft) {
  TrainBatch& batch = draft.batch;
  const auto first = static_cast<std::uint32_t>(batch.items.size());
  for (std::size_t i = 0; i < held_.size(); i += 2)
    batch.items.push_back({held_[i], 0.5f, 0.9f, Anchor::Behaviour});
  const auto count = static_cast<std::uint32_t>(batch.items.size()) - first;
  if (count > 0)
    batch.groups.push_back({store_.get(held_[0]).rollout.prompt, first, count, count, 0.5f});
  batch.release = std::exchange(held_, {});
  draft.untrained.resize(std::min<std::size_t>(draft.untrained.size(), run_.hold));
  batch.hold = held_ = draft.untrained;
}

void SyntheticWorld::record_step(std::uint64_t step, Recorder& recorder) {
  Draft draft(run_.seed, step);
  for (std::uint32_t g = 0; g < run_.prompts; ++g) draw_group(draft, g);
  exchange_held(draft);
  const TrainBatch& batch = draft.batch;
  Feedback feedback;
  feedback.step = step;
  feedback.before = static_cast<Version>(step);
  feedback.updated = !batch.items.empty();
  feedback.after = feedback.before + (feedback.updated ? 1 : 0);
  std::vector<Metric> metrics = {{"reward/first_round", draft.reward_sum / run_.prompts},
                                 {"train/updates", static_cast<double>(feedback.after)}};
  if (feedback.updated) metrics.push_back({"loss/total", 0.1 * draft.random.normal()});
  const double generate = static_cast<double>(draft.cost.generated) * 1e-3;
  const double train = static_cast<double>(draft.cost.trained) * 2e-3;
  const StepTimes times{generate, 0.01, train, generate + train + 0.02};
  recorder.step({step, draft.issued, draft.generated, batch, feedback, store_, prompts_, metrics,
                 times, draft.cost, run_.functions});
  store_.end_step(batch.hold, batch.release);
}

void SyntheticWorld::skip_to(std::uint64_t step) {
  Ignore ignore;
  for (std::uint64_t s = 0; s < step; ++s) record_step(s, ignore);
}

void name_prompts(const SyntheticWorld& world, RunRecorder& recorder) {
  recorder.prompts(world.prompts(), world.prompts().ids(), [](const std::string& text) {
    std::vector<std::int32_t> ids;
    for (const unsigned char byte : text) ids.push_back(byte);
    return ids;
  });
}

void write_synthetic_run(const SyntheticRun& run, const RunFolderPath& path,
                         std::uint64_t first_step) {
  RunFolder folder = RunFolder::open(path);
  folder.write_config(
      concat("alloc: {method: ", run.method, "}\n"),
      concat("alloc:\n  method: ", run.method, "\ntrain:\n  seed: ", run.seed, "\n"));
  RunRecorder recorder(folder, {}, first_step,
                       {{"method", run.method},
                        {"seed", std::to_string(run.seed)},
                        {"task", "addition"},
                        {"model", "character transformer, 0.4 M parameters"},
                        {"group_size", std::to_string(run.group_size)},
                        {"env/version", "0.1.0"},
                        {"env/device", "cpu"}});
  SyntheticWorld world(run);
  name_prompts(world, recorder);
  world.skip_to(first_step);
  const std::vector<int> k = {1, 4};
  const auto evaluate = [&](std::uint64_t step) {
    if (!recorder.has_evaluation(step)) recorder.evaluation(step, world.evaluation(step), k);
  };
  for (std::uint64_t step = first_step; step < run.steps; ++step) {
    if (step % run.evaluate_every == 0) evaluate(step);
    world.record_step(step, recorder);
  }
  evaluate(run.steps);
  recorder.set_status(run.status);
}

}  // namespace allot::testing
