// The verbs and the state they share. What is delivered when, what may be asked for, what is left
// of the budget and what the numbers mean stands in the files this one includes.
#include "allot/core/controller.h"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <utility>

#include "allot/core/batch_books.h"
#include "allot/core/batch_check.h"
#include "allot/core/budget_account.h"
#include "allot/core/delivery.h"
#include "allot/core/error.h"
#include "allot/core/held_rollouts.h"
#include "allot/core/joined.h"
#include "allot/core/ledger.h"
#include "allot/core/prompt_id.h"
#include "allot/core/shared_metric.h"
#include "allot/core/state.h"
#include "allot/core/step_metrics.h"

namespace allot {
namespace {

[[noreturn]] void misuse(const char* verb, std::string_view what, std::string_view hint = {}) {
  throw Error(ErrorKind::Internal, concat("controller.", verb), what, hint);
}

// The saved form: what must agree before anything is read, then everything else with its checksum.
struct Envelope {
  std::string method;
  std::uint64_t dataset_hash = 0, seed = 0, checksum = 0;
  std::string body;

  template <class V>
  void state(V& v) {
    v(method);
    v(dataset_hash);
    v(seed);
    v(checksum);
    v(body);
  }
};

constexpr const char* kBlobName = "allot.controller";
constexpr std::uint32_t kBlobVersion = 3;

std::string hex(std::uint64_t value) {
  std::ostringstream out;
  out << "0x" << std::hex << value;
  return out.str();
}

}  // namespace

struct Controller::State {
  std::unique_ptr<Method> method;
  ControllerOptions options;
  Needs needs;

  // Saved, in this order.
  std::uint64_t next_step = 0;  // of the open step, else of the next one
  bool open = false;
  std::optional<std::uint64_t> owed;    // finalized step whose feedback has not come
  std::vector<RolloutId> owed_shipped;  // its items, ascending
  Version policy = 0;
  RolloutId next_id = 1;  // 0 is never given out: an id left unset is an unknown one
  BudgetAccount account;
  Delivery delivery;
  std::vector<PromptId> shown;  // in the open step, ascending
  std::uint32_t wish = 0;       // prompts wanted and not yet answered
  bool exhausted = false, done = false;
  Ledger ledger;
  HeldRollouts held;
  Spending step_spending, run_spending;
  std::vector<Metric> metrics;  // of the last finalized step

  template <class V>
  void state(V& v) {
    v(next_step);
    v(open);
    v(owed);
    v(owed_shipped);
    v(policy);
    v(next_id);
    v(account);
    v(delivery);
    v(shown);
    v(wish);
    v(exhausted);
    v(done);
    v(ledger);
    v(held);
    v(step_spending);
    v(run_spending);
    v(metrics);
  }

  std::vector<PromptId> checked;  // not saved: from check_prompts() to show()

  void require_open(const char* verb) const;
  void check_prompts(std::span<const PromptRef> prompts, const char* verb);
  void show();
  void lose(std::span<const RolloutId> lost);

  void answer_wish(std::span<const PromptRef> prompts, bool deadline, Plan& plan);
  bool deliver_next(bool deadline, Plan& plan);
  void tell(const Events& events, Plan& plan);
  void apply(const Decision& decision, Plan& plan);
  void request(const GenRequest& request, Plan& plan);
  void close(Plan& plan);
  [[noreturn]] void breach(std::string_view what) const;

  void check(const TrainBatch& batch, std::span<const PlannedPrompt> planned) const;
};

Controller::Controller(std::unique_ptr<Method> method, ControllerOptions options)
    : state_(std::make_unique<State>()) {
  if (!method) throw Error(ErrorKind::Internal, "controller", "no method was given; one is needed");
  state_->needs = method->needs();
  const std::vector<std::string> missing = missing_needs(state_->needs, options.host);
  if (!missing.empty())
    throw Error(ErrorKind::Config, "controller",
                concat("method '", options.method,
                       "' needs what this host does not serve: ", joined(missing, "; ")),
                "choose another method or another host");
  state_->method = std::move(method);
  state_->options = std::move(options);
}

Controller::~Controller() = default;
Controller::Controller(Controller&&) noexcept = default;
Controller& Controller::operator=(Controller&&) noexcept = default;

const Needs& Controller::needs() const { return state_->needs; }
const std::string& Controller::method_name() const { return state_->options.method; }
std::uint64_t Controller::step() const {
  return state_->open ? state_->next_step : state_->owed.value_or(state_->next_step);
}

void Controller::State::require_open(const char* verb) const {
  if (!open) misuse(verb, "no step is open; plan() comes first");
}

// The candidates of the plan, or the answer to a refill wish; leaves their ids in `checked`,
// ascending.
void Controller::State::check_prompts(std::span<const PromptRef> prompts, const char* verb) {
  checked.clear();
  checked.reserve(prompts.size());
  for (const PromptRef& prompt : prompts) {
    if (prompt.id >> 63)
      misuse(verb, concat("prompt id ", prompt.id, " was given; ids below 2^63 are needed"));
    if (needs.embedding && prompt.embedding.empty())
      misuse(verb, concat("prompt ", prompt.id, " has no embedding; method '", options.method,
                          "' needs one"));
    if (prompt.prior_pass_rate && !(*prompt.prior_pass_rate >= 0 && *prompt.prior_pass_rate <= 1))
      misuse(verb, concat("prompt ", prompt.id, " has the prior pass rate ",
                          *prompt.prior_pass_rate, "; a number from 0 to 1 is needed"));
    checked.push_back(prompt.id);
  }
  // A whole pool comes in ascending order: then this is one pass.
  if (!std::is_sorted(checked.begin(), checked.end())) std::sort(checked.begin(), checked.end());
  auto twice = std::adjacent_find(checked.begin(), checked.end());
  if (twice == checked.end() && !shown.empty())
    twice = std::find_if(checked.begin(), checked.end(), [&](PromptId id) {
      return std::binary_search(shown.begin(), shown.end(), id);
    });
  if (twice != checked.end())
    misuse(verb, concat("prompt ", *twice, " was shown twice in step ", next_step,
                        "; ids are distinct within a plan and its refills"));
}

// The prompts checked last are part of the step.
void Controller::State::show() {
  if (checked.empty()) return;  // as for nearly every observe()
  if (shown.empty()) return shown.swap(checked);
  const auto before = static_cast<std::ptrdiff_t>(shown.size());
  shown.insert(shown.end(), checked.begin(), checked.end());
  std::inplace_merge(shown.begin(), shown.begin() + before, shown.end());
}

void Controller::State::lose(std::span<const RolloutId> lost) {
  const std::vector<bool> again = repeated(lost);
  for (std::size_t i = 0; i < lost.size(); ++i)
    if (again[i] || !held.find(lost[i]))
      misuse("plan", concat("rollout ", lost[i], " is reported lost, but it is not held"));
  step_spending.discarded = held.drop(lost);
}

Plan Controller::plan(std::span<const PromptRef> candidates, const Budget& budget, Version policy,
                      std::span<const RolloutId> lost) {
  State& s = *state_;
  if (s.open) misuse("plan", concat("step ", s.next_step, " is still open; finalize() closes it"));
  if (policy < s.policy)
    misuse("plan", concat("policy version ", policy, " was given after version ", s.policy,
                          "; versions count optimizer updates and never fall"));
  BudgetAccount account = s.account;
  account.open(budget, s.next_step, s.options.host.max_tokens);
  s.check_prompts(candidates, "plan");
  s.step_spending = {};
  s.lose(lost);

  s.show();
  s.account = account;
  s.policy = policy;
  s.delivery.open(s.needs.grain, policy, account.max_tokens(), s.next_id);
  s.wish = 0;
  s.exhausted = s.done = false;
  s.open = true;
  Plan plan;
  s.apply(s.method->plan({.step = s.next_step,
                          .policy = policy,
                          .seed = s.options.seed,
                          .candidates = candidates,
                          .budget = account.left(),
                          .lost = lost}),
          plan);
  s.close(plan);
  return plan;
}

Plan Controller::observe(std::span<const Outcome> outcomes, std::span<const PromptRef> more_prompts,
                         bool deadline) {
  State& s = *state_;
  s.require_open("observe");
  if (more_prompts.size() > s.wish)
    misuse("observe", concat(more_prompts.size(), " further prompts were given; ", s.wish,
                             " were wished for"));
  s.check_prompts(more_prompts, "observe");
  s.delivery.report(outcomes);
  s.show();

  Plan plan;
  if (!s.done) {
    if (deadline) s.delivery.abandon();
    const bool asked = s.wish > 0 && (!deadline || !more_prompts.empty());
    if (asked) s.answer_wish(more_prompts, deadline, plan);
    if (deadline) s.wish = 0;
    bool told = asked;
    while (s.deliver_next(deadline, plan)) told = true;
    if (deadline && !told) s.tell({.left = s.account.left(), .deadline = true}, plan);
    s.done |= deadline;
  }
  s.close(plan);
  return plan;
}

void Controller::State::answer_wish(std::span<const PromptRef> prompts, bool deadline, Plan& plan) {
  wish = 0;
  exhausted = prompts.empty();
  tell({.prompts = prompts, .left = account.left(), .deadline = deadline}, plan);
}

// One batch of the grain. While a wish is open nothing is handed out: whether its answer comes
// alone or together with outcomes must make no difference.
bool Controller::State::deliver_next(bool deadline, Plan& plan) {
  if (done || wish > 0) return false;
  const std::span<const Outcome> outcomes = delivery.next();
  if (outcomes.empty()) return false;
  for (const Outcome& outcome : outcomes) account.settle(outcome.tokens);
  tell({.outcomes = outcomes, .left = account.left(), .deadline = deadline}, plan);
  return true;
}

void Controller::State::tell(const Events& events, Plan& plan) {
  Decision decision = method->observe(events);
  if (events.deadline) {  // finalize() comes next, so what is asked for now could never be answered
    decision.generate.clear();
    decision.refill = 0;
  }
  apply(decision, plan);
}

void Controller::State::apply(const Decision& decision, Plan& plan) {
  check_decision(decision, needs, options.method);
  if (decision.refill > 0 && exhausted)
    breach(concat(decision.refill,
                  " further prompts are wanted after an empty answer; the "
                  "source is exhausted for this step"));
  for (const PromptId prompt : decision.cancel) {
    if (delivery.requests_of(prompt) == 0)
      breach(concat("prompt ", prompt, " is cancelled, but nothing was asked of it"));
    delivery.cancel(prompt, plan.cancel);
  }
  if (plan.generate.empty()) plan.generate.reserve(decision.generate.size());
  for (const GenRequest& wanted : decision.generate) request(wanted, plan);
  wish = decision.refill;
  done = decision.done;
}

void Controller::State::request(const GenRequest& wanted, Plan& plan) {
  if (!std::binary_search(shown.begin(), shown.end(), wanted.prompt) &&
      !ledger.contains(wanted.prompt))
    breach(concat("a request names prompt ", wanted.prompt,
                  ", which was neither shown in this step nor asked for in an earlier one"));
  if (delivery.requests_of(wanted.prompt) >= needs.max_rounds)
    breach(concat("request ", delivery.requests_of(wanted.prompt) + 1, " for prompt ",
                  wanted.prompt, " in one step; Needs::max_rounds is ", needs.max_rounds));
  account.reserve(wanted.n, options.method);
  plan.generate.push_back(delivery.issue(wanted));
}

void Controller::State::breach(std::string_view what) const {
  throw Error(ErrorKind::Internal, concat("method ", options.method), what);
}

// What the host is told besides the requests.
void Controller::State::close(Plan& plan) {
  plan.refill = done ? 0 : wish;
  plan.done = done;
  if (done) {
    const std::vector<RolloutId> open_ids = delivery.unreported();
    plan.cancel.insert(plan.cancel.end(), open_ids.begin(), open_ids.end());
  }
  std::sort(plan.cancel.begin(), plan.cancel.end());
  plan.cancel.erase(std::unique(plan.cancel.begin(), plan.cancel.end()), plan.cancel.end());
}

TrainBatch Controller::finalize() {
  State& s = *state_;
  s.require_open("finalize");
  if (s.owed)
    misuse("finalize", concat("the feedback of step ", *s.owed,
                              " is missing; it comes before step ", s.next_step, " is finalized"));
  TrainBatch batch = s.method->finalize();
  const PlannedStep planned = s.delivery.planned();
  s.check(batch, planned.prompts);
  s.owed_shipped.clear();
  for (const TrainItem& item : batch.items) s.owed_shipped.push_back(item.rollout);
  std::sort(s.owed_shipped.begin(), s.owed_shipped.end());
  BatchBooks books(batch, planned.prompts, s.delivery, s.held);
  if (!s.needs.answer_class) books.fill_causes(s.options.reward_resolution);
  books.enter(s.ledger, s.next_step);
  const std::vector<ShippedRollout> shipped = books.shipped();
  s.step_spending.add(books.settle(s.held, s.owed_shipped));
  s.run_spending.add(s.step_spending);
  step_metrics({.policy = s.policy,
                .planned = planned.prompts,
                .batch = batch,
                .shipped = shipped,
                .given = s.account.given(),
                .left = s.account.left(),
                .step = s.step_spending,
                .run = s.run_spending,
                .ledger = s.ledger,
                .data_size = s.options.data_size},
               s.metrics);
  s.owed = s.next_step++;
  s.next_id = s.delivery.next_id();
  s.delivery.clear();
  s.shown.clear();
  s.open = false;
  return batch;
}

void Controller::State::check(const TrainBatch& batch,
                              std::span<const PlannedPrompt> planned) const {
  std::vector<PromptId> prompts;
  prompts.reserve(planned.size());
  for (const PlannedPrompt& prompt : planned) prompts.push_back(prompt.prompt);
  check_batch(batch, {.method = options.method,
                      .needs = needs,
                      .policy = policy,
                      .planned = prompts,
                      .known = [this](RolloutId id) { return known_rollout(delivery, held, id); }});
}

namespace {

// A learner's numbers may overflow, but they may not spoil what a method remembers.
void check_probe(const GradientProbe& probe) {
  for (const ProbedGroup& g : probe.groups)
    for (const double x : {g.first_sum, g.second_sum, g.first_power, g.second_power, g.first_square,
                           g.second_square, g.inner, probe.sum_square})
      if (!std::isfinite(x)) misuse("feedback", concat("a probed gradient has the number ", x));
}

}  // namespace

void Controller::feedback(const Feedback& feedback) {
  State& s = *state_;
  if (!s.owed) misuse("feedback", "no finalized step waits for feedback");
  if (feedback.step != *s.owed)
    misuse("feedback", concat("feedback of step ", feedback.step, " was given; step ", *s.owed,
                              " waits for it"));
  if (feedback.after < feedback.before)
    misuse("feedback", concat("the version fell from ", feedback.before, " to ", feedback.after));
  if (feedback.updated && s.owed_shipped.empty())
    misuse("feedback", "an update is reported, but the batch was empty; it makes none");
  for (const ItemStat& item : feedback.items)
    if (!std::binary_search(s.owed_shipped.begin(), s.owed_shipped.end(), item.rollout))
      misuse("feedback", concat("rollout ", item.rollout, " was not in the batch"));
  check_probe(feedback.probe);
  s.method->feedback(feedback);
  s.owed.reset();
  s.owed_shipped.clear();
}

std::vector<Metric> Controller::metrics() const {
  const State& s = *state_;
  std::vector<Metric> all = s.metrics;
  for (Metric& metric : s.method->metrics())
    all.push_back({is_shared_metric(metric.name)
                       ? metric.name
                       : concat("alloc/", s.options.method, "/", metric.name),
                   metric.value});
  return all;
}

std::optional<PromptRecord> Controller::record(PromptId prompt) const {
  const PromptRecord* found = state_->ledger.find(prompt);
  return found ? std::optional(*found) : std::nullopt;
}

std::vector<PromptRecord> Controller::records() const { return state_->ledger.records(); }

std::string Controller::save(std::uint64_t dataset_hash) const {
  StateWriter body;
  body(state_->method->save());
  body(*state_);
  Envelope envelope{state_->options.method, dataset_hash, state_->options.seed, 0, body.take()};
  envelope.checksum = hash_bytes(envelope.body);
  return save_state(kBlobName, kBlobVersion, envelope);
}

void Controller::load(std::string_view blob, std::uint64_t dataset_hash) {
  Envelope envelope;
  load_state(kBlobName, kBlobVersion, blob, envelope);
  const auto refuse = [](std::string_view what, std::string_view hint) {
    throw Error(ErrorKind::Model, "controller.load", what, hint);
  };
  const ControllerOptions& options = state_->options;
  if (envelope.method != options.method)
    refuse(concat("the state was saved by method '", envelope.method, "'; this run uses '",
                  options.method, "'"),
           "start a fresh run to change the method");
  if (envelope.dataset_hash != dataset_hash)
    refuse(concat("the state belongs to the data set with hash ", hex(envelope.dataset_hash),
                  "; this run's has ", hex(dataset_hash)),
           "use the same data, or start a fresh run");
  if (envelope.seed != options.seed)
    refuse(concat("the state was saved with seed ", envelope.seed, "; this run has ", options.seed),
           "use the same seed, or start a fresh run");
  if (envelope.checksum != hash_bytes(envelope.body))
    refuse("the checksum of the saved state does not match; it is damaged",
           "use an earlier checkpoint");
  StateReader in(envelope.body, kBlobName);
  auto fresh = std::make_unique<State>();
  std::string method_blob;
  in(method_blob);
  in(*fresh);
  if (!in.at_end()) in.fail("bytes are left over after the last member");
  state_->method->load(method_blob, dataset_hash);
  fresh->method = std::move(state_->method);
  fresh->options = options;
  fresh->needs = state_->needs;
  state_ = std::move(fresh);
}

}  // namespace allot
