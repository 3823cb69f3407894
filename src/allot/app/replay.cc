#include "allot/app/replay.h"

#include <charconv>
#include <cmath>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "allot/app/replay_input.h"
#include "allot/core/controller.h"
#include "allot/core/error.h"

namespace allot {
namespace {

using nlohmann::ordered_json;

// The shortest number that reads back as this float: 0.1 and not 0.10000000149011612.
double shown(float value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  double out = 0;
  std::from_chars(text, end, out);
  return out;
}

// Where a rollout stands in the input.
struct Origin {
  std::uint64_t step = 0;
  PromptId prompt = 0;
  std::uint32_t index = 0, tokens = 0;
};

class Replayer {
 public:
  Replayer(const ReplayInput& input, std::string_view where, const ReplayOptions& options,
           std::uint64_t seed)
      : input_(input),
        where_(where),
        options_(options),
        controller_(make_method(options.alloc, options.adv),
                    {.method = options.alloc.method,
                     .seed = seed,
                     .host = {.grain = Grain::Rollout,
                              .cancel = true,
                              .hold = true,
                              .logprob = true,
                              .entropy = true,
                              .answer_class = true},
                     .reward_resolution = options.adv.resolution}) {}

  std::vector<std::string> run(std::uint64_t seed) {
    for (const auto& [step, prompts] : input_.steps) play(step, prompts);
    add({{"kind", "summary"},
         {"method", options_.alloc.method},
         {"seed", seed},
         {"steps", input_.steps.size()},
         {"prompts", prompts_},
         {"rollouts", origins_.size()},
         {"shipped", shipped_},
         {"groups", groups_},
         {"updates", version_}});
    return std::move(lines_);
  }

 private:
  void play(std::uint64_t step, const std::vector<ReplayPrompt>& prompts);
  std::vector<PromptRef> next_prompts(std::size_t wanted);
  void issue(const Issued& issued);
  void print(const TrainBatch& batch);
  void print_group(PromptId prompt, const TrainGroup* group, ZeroCause cause, bool admitted,
                   bool held);
  void print_batch(const TrainBatch& batch);
  std::size_t candidates_wanted(std::uint32_t groups) const;
  void add(const ordered_json& line) { lines_.push_back(line.dump()); }

  const ReplayInput& input_;
  std::string where_;
  const ReplayOptions& options_;
  Controller controller_;
  std::vector<std::string> lines_;
  std::map<RolloutId, Origin> origins_;     // of all steps so far
  std::map<PromptId, ordered_json> label_;  // as given
  Version version_ = 0;
  std::size_t prompts_ = 0, shipped_ = 0, groups_ = 0;

  // Of the step being played.
  std::uint64_t step_ = 0;
  const std::vector<ReplayPrompt>* step_prompts_ = nullptr;
  std::map<PromptId, const ReplayPrompt*> by_id_;
  std::size_t next_prompt_ = 0;  // the first one not yet shown
  std::vector<Outcome> ready_;   // issued, not yet reported
  const TrainBatch* batch_ = nullptr;
};

void Replayer::play(std::uint64_t step, const std::vector<ReplayPrompt>& prompts) {
  step_ = step;
  step_prompts_ = &prompts;
  by_id_.clear();
  for (const ReplayPrompt& prompt : prompts) by_id_[prompt.id] = &prompt;
  next_prompt_ = 0;
  const int given = options_.train.prompts_per_step;
  const auto groups = static_cast<std::uint32_t>(given > 0 ? given : prompts.size());
  const bool capped = options_.alloc.budget.hard_tokens > 0;
  const Budget budget =
      step_budget(options_.alloc, groups, capped ? input_.max_tokens : 0, input_.steps.size());
  Plan plan = controller_.plan(next_prompts(candidates_wanted(groups)), budget, version_);
  for (;;) {
    for (const Issued& issued : plan.generate) issue(issued);
    if (plan.done) break;
    const auto more = next_prompts(plan.refill);
    const std::vector<Outcome> outcomes = std::exchange(ready_, {});
    const bool idle = outcomes.empty() && plan.refill == 0;  // nothing will ever come
    plan = controller_.observe(outcomes, more, idle);
  }
  ready_.clear();
  const TrainBatch batch = controller_.finalize();
  print(batch);
  const Version before = version_;
  version_ += !batch.items.empty();
  controller_.feedback({controller_.step(), before, version_, version_ > before});
}

// What is shown at first; the rest of the step's prompts answer refill wishes.
std::size_t Replayer::candidates_wanted(std::uint32_t groups) const {
  const Needs& needs = controller_.needs();
  if (needs.draw == Draw::Pool) return step_prompts_->size();
  return static_cast<std::size_t>(std::ceil(groups * static_cast<double>(needs.candidate_factor)));
}

std::vector<PromptRef> Replayer::next_prompts(std::size_t wanted) {
  std::vector<PromptRef> refs;
  for (; refs.size() < wanted && next_prompt_ < step_prompts_->size(); ++next_prompt_) {
    const ReplayPrompt& prompt = (*step_prompts_)[next_prompt_];
    label_[prompt.id] = ordered_json::parse(prompt.label);
    refs.push_back({prompt.id});
  }
  return refs;
}

void Replayer::issue(const Issued& issued) {
  const auto found = by_id_.find(issued.prompt);
  const std::size_t have = found == by_id_.end() ? 0 : found->second->outcomes.size();
  if (issued.first_seq + std::size_t{issued.n} > have)
    throw Error(ErrorKind::Data, where_,
                concat("prompt ", label_[issued.prompt].dump(), " has ", have, " outcomes in step ",
                       step_, ", but method ", options_.alloc.method, " asks for ", issued.n,
                       " after the first ", issued.first_seq, " (round ", issued.round, ")"),
                "give more outcomes, or set a smaller alloc.group_size");
  prompts_ += issued.round == 0;
  add({{"kind", "request"},
       {"step", step_},
       {"prompt", label_[issued.prompt]},
       {"n", issued.n},
       {"tag", issued.tag},
       {"round", issued.round}});
  for (std::uint32_t i = 0; i < issued.n; ++i) {
    Outcome outcome = found->second->outcomes[issued.first_seq + i];
    outcome.id = issued.first + i;
    outcome.prompt = issued.prompt;
    outcome.behaviour = version_;
    ready_.push_back(outcome);
    origins_[outcome.id] = {step_, issued.prompt, issued.first_seq + i, outcome.tokens};
  }
}

// Groups of earlier steps first, then one line per planned prompt.
void Replayer::print(const TrainBatch& batch) {
  batch_ = &batch;
  std::map<PromptId, const TrainGroup*> fresh;
  std::set<PromptId> old;
  for (const TrainGroup& group : batch.groups) {
    bool of_now = false;
    for (std::uint32_t i = group.first; i < group.first + group.count; ++i)
      of_now |= origins_.at(batch.items[i].rollout).step == step_;
    if (of_now) {
      fresh[group.prompt] = &group;
    } else {
      old.insert(group.prompt);
      print_group(group.prompt, &group, ZeroCause::None, true, false);
    }
  }
  std::set<PromptId> held;
  for (const RolloutId id : batch.hold)
    if (origins_.at(id).step == step_) held.insert(origins_.at(id).prompt);
  for (const GroupReport& report : batch.reports) {
    const auto group = fresh.find(report.prompt);
    const bool is_fresh = group != fresh.end();
    print_group(report.prompt, is_fresh ? group->second : nullptr, report.cause,
                is_fresh || (report.admitted && !old.count(report.prompt)),
                held.count(report.prompt) > 0);
  }
  print_batch(batch);
}

void Replayer::print_group(PromptId prompt, const TrainGroup* group, ZeroCause cause, bool admitted,
                           bool held) {
  ordered_json items = ordered_json::array();
  for (std::uint32_t i = 0; group && i < group->count; ++i) {
    const TrainItem& item = batch_->items[group->first + i];
    const Origin& origin = origins_.at(item.rollout);
    ordered_json line = {{"index", origin.index},
                         {"advantage", shown(item.advantage)},
                         {"weight", shown(item.weight)}};
    if (origin.step != step_) line["from_step"] = origin.step;
    items.push_back(std::move(line));
  }
  ordered_json line = {{"kind", "group"},      {"step", step_},        {"prompt", label_[prompt]},
                       {"cause", name(cause)}, {"admitted", admitted}, {"items", std::move(items)}};
  if (held) line["held"] = true;
  add(line);
}

void Replayer::print_batch(const TrainBatch& batch) {
  double tokens = 0;
  for (const TrainItem& item : batch.items) tokens += origins_.at(item.rollout).tokens;
  const std::map<Norm, double> divisor = {{Norm::PerToken, tokens},
                                          {Norm::PerRollout, batch.items.size()},
                                          {Norm::PerGroup, batch.groups.size()},
                                          {Norm::Fixed, batch.fixed}};
  const double z = divisor.at(batch.norm);
  ordered_json line = {{"kind", "batch"}, {"step", step_}, {"norm", name(batch.norm)}};
  const bool is_count = z == std::floor(z) && z < 1e15;  // counts are printed without a point
  line["z"] = is_count ? ordered_json(static_cast<std::uint64_t>(z)) : ordered_json(z);
  add(line);
  shipped_ += batch.items.size();
  groups_ += batch.groups.size();
}

}  // namespace

std::vector<std::string> replay(std::string_view text, std::string_view where,
                                const ReplayOptions& options, std::uint64_t seed) {
  const ReplayInput input = read_replay(text, where);
  return Replayer(input, where, options, seed).run(seed);
}

}  // namespace allot
