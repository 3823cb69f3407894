// CBS: every rollout is an arm of a contextual bandit. A small network learns, from how much the
// policy improved afterwards, which rollouts to train on, also ones of earlier steps.
//
// Source: arXiv 2602.08499. The feature list, the fit and all constants are ours
// (docs/methods/rollout_bandit.md). Advantages are GRPO's, over an arm's own full group.
#include <algorithm>
#include <cmath>

#include "allot/core/prompt_table.h"
#include "allot/core/state.h"
#include "allot/methods/parts/arm_scheduler.h"
#include "allot/methods/parts/batch_builder.h"
#include "allot/methods/parts/choosing.h"
#include "allot/methods/parts/held_ids.h"
#include "allot/methods/parts/metric_list.h"
#include "allot/methods/parts/requests.h"
#include "allot/methods/registry.h"

namespace allot {
namespace {

enum class Mode { Intra, Global };

struct RolloutBanditOptions {
  Mode mode = Mode::Intra;
  double share = .5;
  int kept = 0, rounds = 4;
  double epsilon = .1;
  SchedulerOptions scheduler;

  template <class V>
  void fields(V& v) {
    v("mode", mode, Choices<Mode>{{"intra", Mode::Intra}, {"global", Mode::Global}},
      "choose within each group of the step, or among all rollouts of the last `rounds` steps");
    v("share", share, Range{1e-3, 1}, "share of a group that intra keeps, rounded up");
    v("kept", kept, Range{0, 1e6},
      "rollouts that global trains on; 0 = half of train.prompts_per_step * alloc.group_size");
    v("rounds", rounds, Range{1, 1000}, "steps whose rollouts global can choose from, this one in");
    v("epsilon", epsilon, Range{0, 1}, "share of the places that are filled at random");
    scheduler.fields(v);
  }
  void validate(const AllocOptions& shared) const { require_group_of_two(shared); }
};

class RolloutBandit final : public Method {
 public:
  RolloutBandit(const AllocOptions& alloc, const AdvantageOptions& adv)
      : group_size_(static_cast<std::uint32_t>(alloc.group_size)),
        options_(alloc.section("rollout_bandit").as<RolloutBanditOptions>()),
        rule_(advantage_rule(adv, GroupKind::Plain)),
        scheduler_(options_.scheduler) {}

  Needs needs() const override { return {.hold = options_.mode == Mode::Global, .entropy = true}; }

  Decision plan(const BatchView& view) override {
    pool_.clear();
    seed_ = view.seed, step_ = view.step, policy_ = view.policy;
    groups_wanted_ = view.budget.groups;
    longest_ = view.budget.max_tokens;
    scheduler_.open(seed_);
    forget(view.lost);
    return ask_each(view, group_size_, pool_);
  }

  Decision observe(const Events& events) override { return await_all(events, pool_); }

  TrainBatch finalize() override {
    metrics_.clear();
    const auto means = round_means();
    scheduler_.settle(policy_, means);
    scheduler_.report(metrics_);
    add_arms();
    const std::vector<double> scores = scheduler_.scores(arms_, step_);
    const Ragged<std::uint32_t> choices = choose(scores);
    const std::span<const std::uint32_t> taken = choices.values();
    TrainBatch batch = batch_of_arms(taken);
    if (!taken.empty() && means) {
      std::vector<const Arm*> selected;
      for (const std::uint32_t i : taken) selected.push_back(&arms_[i]);
      scheduler_.select(step_, *means, selected);
    }
    set_metrics(scores, taken, means);
    for (const std::uint32_t i : taken) ++arms_[i].uses;
    if (options_.mode == Mode::Global) held_.update(ids(), batch);
    return batch;
  }

  void feedback(const Feedback& feedback) override {
    scheduler_.feedback(feedback.step, feedback.updated, feedback.after);
    std::vector<ItemStat> stats = feedback.items;
    const auto earlier = [](const ItemStat& a, const ItemStat& b) { return a.rollout < b.rollout; };
    std::sort(stats.begin(), stats.end(), earlier);
    for (Arm& arm : arms_) {
      const auto found = std::lower_bound(stats.begin(), stats.end(), ItemStat{arm.id}, earlier);
      if (found == stats.end() || found->rollout != arm.id) continue;
      arm.clip_fraction = found->clip_fraction;
      arm.drift = std::abs(double{found->ratio} - 1);
    }
  }

  std::vector<Metric> metrics() const override { return metrics_.all(); }
  std::string save() const override { return save_state("rollout_bandit", 1, *this); }
  void load(std::string_view blob, std::uint64_t) override {
    load_state("rollout_bandit", 1, blob, *this);
  }

  template <class V>
  void state(V& v) {
    v(pool_);
    v(scheduler_);
    v(arms_);
    v(held_);
    v(seed_);
    v(step_);
    v(policy_);
    v(groups_wanted_);
    v(longest_);
    v(metrics_);
  }

 private:
  // Arms that are gone or too old for the coming round; intra keeps none.
  void forget(std::span<const RolloutId> lost) {
    held_.lose(lost);
    const auto rounds = static_cast<std::uint64_t>(options_.rounds);
    std::erase_if(arms_, [&](const Arm& arm) {
      return options_.mode == Mode::Intra || arm.round + rounds <= step_ ||
             std::find(lost.begin(), lost.end(), arm.id) != lost.end();
    });
  }

  // Mean reward of the scored rollouts and mean entropy of the generated ones.
  std::optional<RoundMeans> round_means() const {
    double reward = 0, scored = 0, entropy = 0, generated = 0;
    for (const Group& group : pool_.groups())
      for (const OwnedOutcome& rollout : group.rollouts) {
        const Outcome& o = rollout.record;
        if (is_scored(o)) reward += o.reward, ++scored;
        if (o.status == Status::Ok || o.status == Status::Truncated)
          entropy += o.mean_entropy, ++generated;
      }
    if (scored == 0) return std::nullopt;
    return RoundMeans{reward / scored, entropy / generated};
  }

  // The scored rollouts of this step's groups with signal, in the order of planning and issue.
  void add_arms() {
    const Ragged<double> rewards = scored_rewards(pool_.groups());
    const auto advantages = group_advantages(rewards, rule_);
    for (std::size_t g = 0; g < rewards.size(); ++g) {
      if (!has_signal(advantages[g])) continue;
      const Group& group = pool_.groups()[g];
      std::size_t i = 0;
      for (const std::uint32_t position : group.scored()) {
        const Outcome& o = group[position];
        Arm arm{.id = o.id, .prompt = group.prompt, .round = step_, .behaviour = o.behaviour};
        arm.reward = o.reward, arm.advantage = advantages[g][i++];
        arm.pool_n = static_cast<std::uint32_t>(rewards[g].size());
        arm.pool_mean = mean_of(rewards[g]);
        arm.entropy = o.mean_entropy;
        arm.length = longest_ > 0 ? double(o.tokens) / longest_ : o.tokens;
        arm.truncated = o.status == Status::Truncated;
        arms_.push_back(arm);
      }
    }
  }

  // Positions in arms_, ascending; a list per group, or one of all.
  Ragged<std::uint32_t> choose(const std::vector<double>& scores) {
    const double epsilon = scheduler_.trained() ? options_.epsilon : 1;
    const auto size = static_cast<std::uint32_t>(arms_.size());
    Ragged<std::uint32_t> taken;
    std::uint32_t explored = 0;
    const auto take = [&](ArmRange from, std::uint32_t k, PromptId key) {
      explored += choose_arms(scores, from, k, epsilon, choice_stream(seed_, step_, key), taken);
    };
    if (options_.mode == Mode::Global) {
      const std::uint64_t half = std::uint64_t{groups_wanted_} * group_size_ / 2;
      const std::uint64_t kept =
          options_.kept > 0 ? static_cast<std::uint64_t>(options_.kept) : half;
      take({0, size}, static_cast<std::uint32_t>(std::min<std::uint64_t>(kept, size)), 0);
    } else {
      for (std::uint32_t first = 0; first < size; first += arms_[first].pool_n) {
        const std::uint32_t n = arms_[first].pool_n;
        const auto k = static_cast<std::uint32_t>(std::ceil(options_.share * n - 1e-9));
        take({first, n}, k, arms_[first].prompt);
      }
    }
    metrics_.set_share("explore_share", explored, taken.values().size());
    return taken;
  }

  // One group for the chosen arms of each prompt and round.
  TrainBatch batch_of_arms(std::span<const std::uint32_t> taken) const {
    TrainBatch batch;
    PromptTable<std::uint32_t> shipped;
    const Arm* before = nullptr;
    for (const std::uint32_t i : taken) {
      const Arm& arm = arms_[i];
      if (!before || before->prompt != arm.prompt || before->round != arm.round) {
        TrainGroup group{arm.prompt, static_cast<std::uint32_t>(batch.items.size())};
        group.pool_n = arm.pool_n;
        group.pool_mean = static_cast<float>(arm.pool_mean);
        batch.groups.push_back(group);
      }
      ++batch.groups.back().count;
      ++shipped[arm.prompt];
      const Anchor anchor = arm.behaviour == policy_ ? Anchor::StepStart : Anchor::Behaviour;
      batch.items.push_back({arm.id, static_cast<float>(arm.advantage), 1, anchor});
      before = &arm;
    }
    for (const Group& group : pool_.groups())
      report(batch, group, group.cause(rule_.resolution), shipped[group.prompt]);
    return batch;
  }

  std::vector<RolloutId> ids() const {
    std::vector<RolloutId> ids;
    for (const Arm& arm : arms_)
      if (arm.round + static_cast<std::uint64_t>(options_.rounds) > step_ + 1)
        ids.push_back(arm.id);
    return ids;
  }

  void set_metrics(const std::vector<double>& scores, std::span<const std::uint32_t> taken,
                   const std::optional<RoundMeans>& means) {
    if (means) {
      metrics_.set("V", means->reward);
      metrics_.set("E", means->entropy);
    }
    double old = 0, age = 0;
    for (const std::uint32_t i : taken) {
      old += arms_[i].round != step_;
      age += static_cast<double>(step_ - arms_[i].round);
    }
    metrics_.set_share("share_old", old, taken.size());
    metrics_.set_share("age_mean", age, taken.size());
    if (scores.empty()) return;
    std::vector<double> rewards, entropies;
    for (const Arm& arm : arms_) {
      rewards.push_back(arm.reward);
      entropies.push_back(arm.entropy);
    }
    metrics_.set("score_mean", mean_of(scores));
    metrics_.set("score_std", standard_deviation(scores, 0));
    metrics_.set("score_reward_corr", correlation(scores, rewards));
    metrics_.set("score_entropy_corr", correlation(scores, entropies));
  }

  std::uint32_t group_size_;
  RolloutBanditOptions options_;
  AdvantageRule rule_;
  ArmScheduler scheduler_;
  GroupPool pool_;
  std::vector<Arm> arms_;  // that can be chosen, oldest round first
  HeldIds held_;           // global: of earlier rounds
  std::uint64_t seed_ = 0, step_ = 0;
  Version policy_ = 0;
  std::uint32_t groups_wanted_ = 0, longest_ = 0;
  MetricList metrics_;
};

}  // namespace

MethodInfo rollout_bandit_method() {
  return {"rollout_bandit",
          "a small network learns which rollouts to train on from how the policy improved",
          "CBS, arXiv 2602.08499", MethodSection(RolloutBanditOptions{}), construct<RolloutBandit>};
}

}  // namespace allot
