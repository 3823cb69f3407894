#include "allot/methods/testing/script.h"

#include <span>
#include <stdexcept>

#include "allot/core/testing/outcome_stream.h"

namespace allot::testing {
namespace {

template <class Options>
Options set_all(Options options, const Settings& settings, const std::string& prefix) {
  OptionList list = OptionList::of(options, prefix);
  for (const auto& [key, value] : settings)
    if (key.starts_with(prefix + ".")) list.set(key, value, "test");
  return options;
}

class Player {
 public:
  Player(Controller& controller, const Script& script, Version policy)
      : c_(controller), script_(script), policy_(policy) {}

  Played run(const Budget& budget) {
    note(c_.plan(refs(script_.candidates), budget, policy_));
    while (!last().done) {
      const std::vector<PromptRef> more = refill(last().refill);
      const std::vector<Outcome> ready = std::exchange(ready_, {});
      const bool idle = ready.empty() && last().refill == 0;
      note(c_.observe(ready, more, idle));
      if (idle) break;
    }
    out_.batch = c_.finalize();
    const bool updated = !out_.batch.items.empty();
    c_.feedback({c_.step(), policy_, policy_ + updated, updated});
    for (const Metric& metric : c_.metrics()) out_.metrics[metric.name] = metric.value;
    return std::move(out_);
  }

 private:
  const Plan& last() const { return out_.plans.back(); }

  // The same embedding for all prompts, and only where there is no going without one.
  PromptRef ref(PromptId id) const {
    static constexpr float kEmbedding[] = {1};
    return {id, 0, std::span(kEmbedding, c_.needs().embedding ? 1 : 0)};
  }

  std::vector<PromptRef> refs(const std::vector<PromptId>& ids) const {
    std::vector<PromptRef> out;
    for (const PromptId id : ids) out.push_back(ref(id));
    return out;
  }

  std::vector<PromptRef> refill(std::uint32_t wanted) {
    std::vector<PromptRef> out;
    for (; wanted > 0 && next_further_ < script_.further.size(); --wanted)
      out.push_back(ref(script_.further[next_further_++]));
    return out;
  }

  void note(Plan plan) {
    for (const Issued& issued : plan.generate)
      for (std::uint32_t i = 0; i < issued.n; ++i) issue(issued, i);
    out_.plans.push_back(std::move(plan));
  }

  void issue(const Issued& issued, std::uint32_t i) {
    const std::uint32_t seq = issued.first_seq + i;
    const auto written = script_.outcomes.find(issued.prompt);
    if (written == script_.outcomes.end() || seq >= written->second.size())
      throw std::out_of_range("the script has no outcome " + std::to_string(seq) + " of prompt " +
                              std::to_string(issued.prompt));
    Outcome outcome = written->second[seq];
    outcome.id = issued.first + i;
    outcome.prompt = issued.prompt;
    outcome.tag = issued.tag;
    outcome.seq = seq;
    outcome.round = issued.round;
    outcome.behaviour = policy_;
    ready_.push_back(outcome);
    out_.issued[outcome.id] = {issued.prompt, seq};
  }

  Controller& c_;
  const Script& script_;
  Version policy_;
  Played out_;
  std::vector<Outcome> ready_;
  std::size_t next_further_ = 0;
};

}  // namespace

AllocOptions alloc_options(std::string_view method, const Settings& settings) {
  AllocOptions options;
  options.method = std::string(method);
  return set_all(std::move(options), settings, "alloc");
}

AdvantageOptions advantage_options(const Settings& settings) {
  return set_all(AdvantageOptions{}, settings, "adv");
}

Controller controller_of(std::string_view method, const Settings& settings, std::uint64_t seed) {
  return Controller(make_method(alloc_options(method, settings), advantage_options(settings)),
                    {.method = std::string(method), .seed = seed, .host = serves_everything()});
}

std::uint32_t Played::requested(PromptId prompt) const {
  std::uint32_t n = 0;
  for (const Plan& plan : plans)
    for (const Issued& issued : plan.generate) n += issued.prompt == prompt ? issued.n : 0;
  return n;
}

std::vector<float> Played::advantages(PromptId prompt) const {
  std::vector<float> out;
  for (const TrainItem& item : batch.items)
    if (issued.count(item.rollout) && issued.at(item.rollout).first == prompt)
      out.push_back(item.advantage);
  return out;
}

std::vector<std::uint32_t> Played::kept(PromptId prompt) const {
  std::vector<std::uint32_t> out;
  for (const TrainItem& item : batch.items)
    if (issued.count(item.rollout) && issued.at(item.rollout).first == prompt)
      out.push_back(issued.at(item.rollout).second);
  return out;
}

const GroupReport& Played::report(PromptId prompt) const {
  for (const GroupReport& report : batch.reports)
    if (report.prompt == prompt) return report;
  throw std::out_of_range("no report of prompt " + std::to_string(prompt));
}

Played play(Controller& controller, const Script& script, const Budget& budget, Version policy) {
  return Player(controller, script, policy).run(budget);
}

std::vector<PromptId> ids(PromptId first, PromptId last) {
  std::vector<PromptId> out;
  for (PromptId id = first; id <= last; ++id) out.push_back(id);
  return out;
}

std::vector<PromptId> prompts_of(const Plan& plan) {
  std::vector<PromptId> out;
  for (const Issued& issued : plan.generate) out.push_back(issued.prompt);
  return out;
}

std::vector<Outcome> verdicts(std::uint32_t right, std::uint32_t wrong) {
  std::vector<double> values(right, 1.0);
  values.resize(right + wrong, 0.0);
  return rewards(values);
}

std::vector<Outcome> rewards(const std::vector<double>& values) {
  std::vector<Outcome> out;
  for (const double value : values) {
    Outcome outcome;
    outcome.reward = static_cast<float>(value);
    outcome.correct = value > 0.5;
    outcome.tokens = 10;
    out.push_back(outcome);
  }
  return out;
}

Budget budget_of(std::uint32_t groups, std::uint64_t rollouts) {
  Budget budget;
  budget.groups = groups;
  budget.rollouts = rollouts;
  return budget;
}

}  // namespace allot::testing
