#include "allot/core/testing/scripted_methods.h"

#include <algorithm>
#include <map>
#include <utility>

#include "allot/core/error.h"
#include "allot/core/prompt_table.h"
#include "allot/core/state.h"

namespace allot::testing {
namespace {

struct Seen {
  RolloutId id = 0;
  float reward = 0;
  bool scored = false, correct = false;
  std::uint32_t round = 0;
  std::int64_t answer_class = -1;
  template <class V>
  void state(V& v) {
    v(id);
    v(reward);
    v(scored);
    v(correct);
    v(round);
    v(answer_class);
  }
};
using Group = std::vector<Seen>;

struct Surplus {
  PromptId prompt = 0;
  Group group;
  template <class V>
  void state(V& v) {
    v(prompt);
    v(group);
  }
};

int successes(const Group& group) {
  return static_cast<int>(
      std::count_if(group.begin(), group.end(), [](const Seen& s) { return s.correct; }));
}

bool mixed(const Group& group) {
  int scored = 0;
  for (const Seen& s : group) scored += s.scored;
  return successes(group) > 0 && successes(group) < scored;
}

// Ships `group` with reward minus mean reward.
void ship(TrainBatch& batch, PromptId prompt, const Group& group, Anchor anchor) {
  float sum = 0;
  std::uint32_t n = 0;
  for (const Seen& s : group)
    if (s.scored) {
      sum += s.reward;
      ++n;
    }
  if (n == 0) return;
  const auto first = static_cast<std::uint32_t>(batch.items.size());
  const float mean = sum / static_cast<float>(n);
  for (const Seen& s : group)
    if (s.scored) batch.items.push_back({s.id, s.reward - mean, 1, anchor});
  batch.groups.push_back({prompt, first, n, n, mean});
}

GroupReport report(PromptId prompt, const Group& group) {
  GroupReport report{.prompt = prompt};
  for (const Seen& s : group)
    if (s.scored && s.round == 0) {
      ++report.counted_n;
      report.counted_sum += s.correct;
    }
  return report;
}

// What the methods share: groups of the open step, kept as they were delivered.
class Scripted : public Method {
 public:
  Decision plan(const BatchView& view) override {
    groups_.clear();
    wanted_ = view.budget.groups;
    Decision decision;
    for (const PromptRef& prompt : view.candidates) ask(decision, prompt.id, first_n(), 0);
    return decision;
  }

  TrainBatch finalize() override {
    TrainBatch batch;
    for (const auto& [prompt, group] : groups_) {
      if (mixed(group)) ship(batch, prompt, group, Anchor::StepStart);
      batch.reports.push_back(report(prompt, group));
    }
    count_shipped(batch);
    return batch;
  }

  void feedback(const Feedback& feedback) override {
    last_ratio_ = feedback.items.empty() ? 0 : feedback.items.front().ratio;
  }

  std::vector<Metric> metrics() const override { return {{"last_ratio", last_ratio_}}; }
  std::string save() const override { return save_state("scripted", 1, *this); }
  void load(std::string_view blob, std::uint64_t) override {
    load_state("scripted", 1, blob, *this);
  }

  template <class V>
  void state(V& v) {
    v(groups_);
    v(wanted_);
    v(exhausted_);
    v(surplus_);
    v(from_surplus_);
    v(last_ratio_);
  }

 protected:
  virtual std::uint32_t first_n() const { return 4; }

  void ask(Decision& decision, PromptId prompt, std::uint32_t n, std::uint32_t tag) {
    groups_[prompt];
    decision.generate.push_back({prompt, n, tag});
  }
  void take(const Events& events) {
    for (const Outcome& o : events.outcomes)
      groups_[o.prompt].push_back(
          {o.id, o.reward, o.scoring == Scoring::Scored, o.correct, o.round, o.answer_class});
  }
  static void count_shipped(TrainBatch& batch) {
    for (GroupReport& report : batch.reports)
      for (const TrainGroup& group : batch.groups)
        if (group.prompt == report.prompt) {
          report.shipped += group.count;
          report.admitted = true;
        }
  }

  PromptTable<Group> groups_;
  std::uint32_t wanted_ = 0;
  bool exhausted_ = false;
  std::vector<Surplus> surplus_;
  std::uint32_t from_surplus_ = 0;  // how many of them the open step ships
  double last_ratio_ = 0;
};

class Uniform : public Scripted {
 public:
  Needs needs() const override { return {}; }
  Decision observe(const Events& events) override {
    take(events);
    return {.done = true};
  }
};

class Retrying : public Scripted {
 public:
  Needs needs() const override { return {.max_rounds = kRounds}; }
  Decision observe(const Events& events) override {
    take(events);
    Decision decision;
    if (!events.deadline)
      for (const auto& [prompt, group] : groups_) retry(decision, prompt, group);
    decision.done = decision.generate.empty();
    return decision;
  }

 protected:
  static constexpr std::uint32_t kRounds = 4;
  std::uint32_t first_n() const override { return 2; }
  void retry(Decision& decision, PromptId prompt, const Group& group) {
    const std::uint32_t rounds = group.back().round + 1;
    if (successes(group) == 0 && rounds < kRounds) ask(decision, prompt, 2, rounds);
  }
};

class Eager : public Retrying {
 public:
  Needs needs() const override { return {.grain = Grain::Request, .max_rounds = kRounds}; }
  Decision observe(const Events& events) override {
    take(events);
    Decision decision;
    if (!events.outcomes.empty() && !events.deadline) {
      const PromptId prompt = events.outcomes.front().prompt;
      retry(decision, prompt, groups_[prompt]);
    }
    return decision;
  }
};

class Refilling : public Scripted {
 public:
  Needs needs() const override { return {.refill = true}; }
  Decision plan(const BatchView& view) override {
    exhausted_ = false;
    return Scripted::plan(view);
  }
  Decision observe(const Events& events) override {
    take(events);
    Decision decision;
    const bool empty_answer = events.outcomes.empty() && events.prompts.empty();
    exhausted_ |= empty_answer;
    if (events.deadline) return decision;
    for (const PromptRef& prompt : events.prompts) ask(decision, prompt.id, first_n(), 0);
    if (!decision.generate.empty()) return decision;
    const std::uint32_t ready = mixed_groups() + from_surplus_;
    if (ready >= wanted_ || exhausted_)
      decision.done = true;
    else
      decision.refill = 2 * (wanted_ - ready);
    return decision;
  }

 protected:
  std::uint32_t mixed_groups() const {
    std::uint32_t n = 0;
    for (const auto& [prompt, group] : groups_) n += mixed(group);
    return n;
  }
};

class Holding : public Refilling {
 public:
  Needs needs() const override { return {.refill = true, .hold = true}; }

  // Surplus first, oldest first; prompts are only drawn for what is missing.
  Decision plan(const BatchView& view) override {
    for (const RolloutId id : view.lost)
      std::erase_if(surplus_, [&](const Surplus& s) {
        return std::any_of(s.group.begin(), s.group.end(),
                           [&](const Seen& seen) { return seen.id == id; });
      });
    from_surplus_ =
        std::min<std::uint32_t>(view.budget.groups, static_cast<std::uint32_t>(surplus_.size()));
    BatchView rest = view;
    const std::size_t missing = view.budget.groups - from_surplus_;
    rest.candidates = view.candidates.first(std::min(missing, view.candidates.size()));
    Decision decision = Refilling::plan(rest);
    decision.done = decision.generate.empty();
    return decision;
  }

  TrainBatch finalize() override {
    TrainBatch batch;
    for (std::uint32_t i = 0; i < from_surplus_; ++i) {
      ship(batch, surplus_[i].prompt, surplus_[i].group, Anchor::Behaviour);
      for (const Seen& seen : surplus_[i].group) batch.release.push_back(seen.id);
      if (!groups_.contains(surplus_[i].prompt)) batch.reports.push_back({surplus_[i].prompt});
    }
    surplus_.erase(surplus_.begin(), surplus_.begin() + from_surplus_);
    from_surplus_ = 0;
    std::sort(batch.reports.begin(), batch.reports.end(),
              [](const GroupReport& a, const GroupReport& b) { return a.prompt < b.prompt; });
    const auto same = [](const GroupReport& a, const GroupReport& b) {
      return a.prompt == b.prompt;
    };
    batch.reports.erase(std::unique(batch.reports.begin(), batch.reports.end(), same),
                        batch.reports.end());
    for (const auto& [prompt, group] : groups_) {
      batch.reports.push_back(report(prompt, group));
      if (!mixed(group)) continue;
      if (batch.groups.size() < wanted_) {
        ship(batch, prompt, group, Anchor::StepStart);
      } else {
        surplus_.push_back({prompt, group});
        for (const Seen& seen : group) batch.hold.push_back(seen.id);
      }
    }
    count_shipped(batch);
    return batch;
  }
};

class Voting : public Scripted {
 public:
  Needs needs() const override {
    return {.grain = Grain::Rollout, .cancel = true, .answer_class = true};
  }
  Decision observe(const Events& events) override {
    take(events);
    Decision decision;
    if (events.outcomes.empty()) return decision;
    const PromptId prompt = events.outcomes.front().prompt;
    const Group& group = groups_[prompt];
    std::map<std::int64_t, int> votes;
    for (const Seen& seen : group)
      if (seen.answer_class >= 0 && ++votes[seen.answer_class] == 2 && seen.id == group.back().id)
        decision.cancel.push_back(prompt);
    return decision;
  }

 protected:
  std::uint32_t first_n() const override { return 6; }
};

template <class M>
std::unique_ptr<Method> make() {
  return std::make_unique<M>();
}

const std::vector<std::pair<std::string, std::unique_ptr<Method> (*)()>>& table() {
  static const std::vector<std::pair<std::string, std::unique_ptr<Method> (*)()>> methods{
      {"uniform", make<Uniform>},     {"retrying", make<Retrying>}, {"eager", make<Eager>},
      {"refilling", make<Refilling>}, {"holding", make<Holding>},   {"voting", make<Voting>}};
  return methods;
}

}  // namespace

std::unique_ptr<Method> scripted_method(const std::string& name) {
  for (const auto& [known, factory] : table())
    if (known == name) return factory();
  throw Error(ErrorKind::Internal, "scripted_method", concat("no method '", name, "'"));
}

const std::vector<std::string>& scripted_method_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const auto& [name, factory] : table()) all.push_back(name);
    return all;
  }();
  return names;
}

}  // namespace allot::testing
