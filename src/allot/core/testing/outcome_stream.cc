#include "allot/core/testing/outcome_stream.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>
#include <utility>

#include "allot/core/error.h"
#include "allot/core/random.h"

namespace allot::testing {
namespace {

constexpr std::size_t kEmbedding = 4;  // numbers per prompt
constexpr std::uint64_t kOutcomes = 1, kPassRates = 2, kEmbeddings = 3, kDraws = 4, kArrivals = 5,
                        kCancelled = 6;

// One stream per kind of number, so that none can share words with another.
RandomStream stream(std::uint64_t seed, std::uint64_t kind, std::uint64_t step,
                    std::uint64_t prompt, std::uint32_t seq) {
  return RandomStream({seed * 8 + kind, RandomUse::Test, step, prompt, seq});
}

std::string exact(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%a", value);
  return text;
}

}  // namespace

StreamWorld::StreamWorld(StreamSettings settings) : settings_(std::move(settings)) {
  for (std::uint32_t i = 0; i < settings_.prompts; ++i) {
    RandomStream random = stream(settings_.seed, kEmbeddings, 0, i, 0);
    std::vector<float> embedding(kEmbedding);
    for (float& x : embedding) x = static_cast<float>(random.normal());
    embeddings_.push_back(std::move(embedding));
  }
}

double StreamWorld::pass_rate(PromptId prompt) const {
  if (settings_.pass_rate) return settings_.pass_rate(prompt);
  RandomStream random = stream(settings_.seed, kPassRates, 0, prompt, 0);
  const double u = random.uniform();
  if (u < 0.25) return 0;
  if (u < 0.5) return 1;
  return random.uniform();
}

Outcome StreamWorld::outcome(std::uint64_t step, PromptId prompt, std::uint32_t seq) const {
  const StreamSettings& s = settings_;
  RandomStream random = stream(s.seed, kOutcomes, step, prompt, seq);
  Outcome outcome;
  outcome.prompt = prompt;
  outcome.seq = seq;
  outcome.tokens = 1 + static_cast<std::uint32_t>(random.below(s.max_tokens));
  outcome.mean_logprob = -static_cast<float>(random.uniform());
  outcome.mean_entropy = static_cast<float>(random.uniform());
  const bool right = random.uniform() < pass_rate(prompt);
  const double ending = random.uniform(), scoring = random.uniform(), noise = random.uniform();
  if (ending < s.failed) {
    outcome.status = Status::Failed;
    outcome.scoring = Scoring::NotScorable;
    return outcome;
  }
  if (ending < s.failed + s.truncated) {
    outcome.status = Status::Truncated;
    outcome.tokens = s.max_tokens;
  }
  if (scoring < s.verifier_error + s.not_scorable) {
    outcome.scoring = scoring < s.verifier_error ? Scoring::VerifierError : Scoring::NotScorable;
    return outcome;
  }
  outcome.parsed = scoring >= s.verifier_error + s.not_scorable + s.no_answer;
  outcome.correct = right && outcome.parsed && outcome.status == Status::Ok;
  outcome.reward = static_cast<float>((outcome.correct ? 1 : 0) + s.shaping * noise);
  // Classes as large as real hashes: the right answer has one, wrong answers share three.
  const auto wrong = static_cast<std::int64_t>(1 + random.below(3));
  if (outcome.parsed)
    outcome.answer_class = (std::int64_t{1} << 40) + (outcome.correct ? 0 : wrong * 7919);
  return outcome;
}

// Stream goes on where it stopped, Uniform is keyed by the step, Pool shows everything. Prompts
// already shown in the step are passed over; a pool that is used up gives fewer.
std::vector<PromptRef> StreamWorld::draw(std::uint64_t wanted, Draw draw, std::uint64_t step) {
  std::vector<PromptId> order(settings_.prompts);
  for (std::uint32_t i = 0; i < settings_.prompts; ++i)
    order[i] = 1 + (draw == Draw::Stream ? (cursor_ + i) % settings_.prompts : i);
  if (draw == Draw::Uniform) {
    RandomStream random = stream(settings_.seed, kDraws, step, 0, 0);
    random.shuffle(std::span(order));
  }
  if (draw == Draw::Pool) wanted = settings_.prompts;
  std::vector<PromptRef> refs;
  std::set<PromptId> shown(shown_.begin(), shown_.end());
  for (const PromptId id : order) {
    if (refs.size() == wanted) break;
    if (shown.count(id)) continue;
    refs.push_back({id, 0, embeddings_[id - 1]});
    if (settings_.prior_pass_rate) refs.back().prior_pass_rate = settings_.prior_pass_rate(id);
    shown_.push_back(id);
  }
  cursor_ = (cursor_ + refs.size()) % std::max(1u, settings_.prompts);
  return refs;
}

class StepDriver {
 public:
  StepDriver(Controller& controller, StreamWorld& world, const Budget& budget)
      : c_(controller), w_(world), s_(world.settings_), budget_(budget) {}

  DrivenStep run() {
    open();
    while (!last().done) observe();
    event();
    out_.batch = c_.finalize();
    keep_held();
    event();
    feedback();
    out_.metrics = c_.metrics();
    event();
    return std::move(out_);
  }

 private:
  void event() {
    if (s_.at_event) s_.at_event(c_);
  }
  const Plan& last() const { return out_.plans.back(); }

  void open() {
    event();
    w_.shown_.clear();
    out_.step = c_.step();
    out_.policy = w_.policy_;
    const Needs& needs = c_.needs();
    const auto wanted = static_cast<std::uint64_t>(
        std::ceil(static_cast<double>(budget_.groups) * needs.candidate_factor));
    out_.candidates = w_.draw(wanted, needs.draw, out_.step);
    std::vector<RolloutId> lost;
    lost.swap(w_.lost_);
    take(c_.plan(out_.candidates, budget_, w_.policy_, lost));
  }

  void take(Plan plan) {
    for (const Issued& issued : plan.generate)
      for (std::uint32_t i = 0; i < issued.n; ++i) {
        Outcome outcome = w_.outcome(out_.step, issued.prompt, issued.first_seq + i);
        outcome.id = issued.first + i;
        outcome.behaviour = w_.policy_;
        if (!w_.rollouts_.emplace(outcome.id, outcome).second)
          throw Error(ErrorKind::Internal, "outcome_stream",
                      concat("rollout id ", outcome.id, " was given out twice"));
        running_.push_back(outcome.id);
      }
    cancelled_.insert(plan.cancel.begin(), plan.cancel.end());
    out_.plans.push_back(std::move(plan));
  }

  // Prompts first, as a host does; else the outcomes of rollouts that finished in a random order;
  // with nothing left to wait for, the deadline of an idle engine.
  void observe() {
    event();
    const bool late = s_.deadline_after && calls_ >= *s_.deadline_after;
    ++calls_;
    if (last().refill > 0 && !late) {
      const bool dry = s_.refills && refills_ >= *s_.refills;
      ++refills_;
      const std::vector<PromptRef> more =
          dry ? std::vector<PromptRef>{}
              : w_.draw(last().refill, c_.needs().draw, out_.step * 1000 + refills_);
      // Now and then outcomes come along with the answer; that must make no difference.
      take(c_.observe(calls_ % 2 ? std::vector<Outcome>{} : arrivals(), more));
      return;
    }
    const std::vector<Outcome> outcomes = arrivals();
    take(c_.observe(outcomes, {}, late || outcomes.empty()));
  }

  std::vector<Outcome> arrivals() {
    RandomStream random = stream(s_.arrival_seed, kArrivals, out_.step, calls_, 0);
    random.shuffle(std::span(running_));
    const std::size_t n = s_.arrivals_per_call == 0
                              ? running_.size()
                              : std::min<std::size_t>(s_.arrivals_per_call, running_.size());
    std::vector<Outcome> outcomes;
    for (std::size_t i = 0; i < n; ++i) outcomes.push_back(report(running_[i]));
    running_.erase(running_.begin(), running_.begin() + static_cast<std::ptrdiff_t>(n));
    out_.reported.insert(out_.reported.end(), outcomes.begin(), outcomes.end());
    return outcomes;
  }

  // A cancelled rollout may have finished meanwhile, or was stopped after any number of tokens.
  Outcome report(RolloutId id) {
    Outcome outcome = w_.rollouts_.at(id);
    RandomStream random = stream(s_.arrival_seed, kCancelled, out_.step, id, 0);
    if (cancelled_.count(id) && random.uniform() < 0.5) {
      outcome.status = Status::Cancelled;
      outcome.tokens = static_cast<std::uint32_t>(random.below(outcome.tokens + 1ull));
    }
    return outcome;
  }

  // As the rollout store does: what is held stays, the oldest go when there is no room.
  void keep_held() {
    std::set<RolloutId> held(w_.held_.begin(), w_.held_.end());
    for (const RolloutId id : out_.batch.release) held.erase(id);
    held.insert(out_.batch.hold.begin(), out_.batch.hold.end());
    while (s_.max_held > 0 && held.size() > s_.max_held) {
      w_.lost_.push_back(*held.begin());
      held.erase(held.begin());
    }
    w_.held_.assign(held.begin(), held.end());
  }

  void feedback() {
    Feedback& f = out_.feedback;
    f.step = out_.step;
    f.before = w_.policy_;
    f.updated = !out_.batch.items.empty();
    w_.policy_ += f.updated;
    f.after = w_.policy_;
    for (const TrainItem& item : out_.batch.items)
      f.items.push_back({item.rollout, 1 + 0.01f * static_cast<float>(item.rollout % 7), 0.125f});
    probe(f.probe);
    c_.feedback(f);
  }

  // What gradients are on average: noise of power 1 per rollout, directions without a common part.
  void probe(GradientProbe& probe) const {
    for (const std::uint32_t place : out_.batch.probe) {
      const TrainGroup& group = out_.batch.groups[place];
      const double p = w_.pass_rate(group.prompt);
      ProbedGroup g;
      double first = 0, second = 0;  // sum A (r - p)
      for (std::uint32_t i = 0; i < group.count; ++i) {
        const TrainItem& item = out_.batch.items[group.first + i];
        const double a = item.advantage;
        const bool in_first = i < group.count / 2;
        (in_first ? first : second) += a * ((w_.rollouts().at(item.rollout).correct ? 1 : 0) - p);
        (in_first ? g.first_sum : g.second_sum) += a;
        (in_first ? g.first_power : g.second_power) += a * a;
      }
      g.first_square = g.first_power + s_.prompt_noise * first * first;
      g.second_square = g.second_power + s_.prompt_noise * second * second;
      g.inner = s_.prompt_noise * first * second;
      probe.sum_square += g.first_square + g.second_square + 2 * g.inner;
      probe.groups.push_back(g);
    }
  }

  Controller& c_;
  StreamWorld& w_;
  const StreamSettings& s_;
  Budget budget_;
  DrivenStep out_;
  std::vector<RolloutId> running_;
  std::set<RolloutId> cancelled_;
  std::uint32_t calls_ = 0, refills_ = 0;
};

DrivenStep drive_step(Controller& controller, StreamWorld& world, const Budget& budget) {
  return StepDriver(controller, world, budget).run();
}

HostTraits serves_everything() {
  return {.grain = Grain::Rollout,
          .refill = true,
          .cancel = true,
          .hold = true,
          .exemplar = true,
          .logprob = true,
          .entropy = true,
          .embedding = true,
          .answer_class = true};
}

std::string transcript(const TrainBatch& batch) {
  std::string out = concat("batch ", name(batch.norm), " ", exact(batch.fixed), " ",
                           exact(batch.length_divisor), "\n");
  for (const TrainItem& item : batch.items)
    out += concat("item ", item.rollout, " ", exact(item.advantage), " ", exact(item.weight), " ",
                  name(item.anchor), "\n");
  for (const TrainGroup& group : batch.groups)
    out += concat("group ", group.prompt, " ", group.first, " ", group.count, " ", group.pool_n,
                  " ", exact(group.pool_mean), "\n");
  for (const GroupReport& report : batch.reports)
    out += concat("report ", report.prompt, " ", report.counted_n, " ", exact(report.counted_sum),
                  " ", report.admitted, " ", report.shipped, " ", name(report.cause), "\n");
  for (const RolloutId id : batch.hold) out += concat("hold ", id, "\n");
  for (const RolloutId id : batch.release) out += concat("release ", id, "\n");
  return out;
}

// Plans that ask for nothing are left out: how many there are is a matter of arrival.
std::string transcript(const DrivenStep& step) {
  std::string out = concat("step ", step.step, " policy ", step.policy, "\n");
  for (const Plan& plan : step.plans) {
    for (const Issued& i : plan.generate)
      out += concat("request ", i.prompt, " ", i.first, " n ", i.n, " seq ", i.first_seq, " tag ",
                    i.tag, " round ", i.round, " ", exact(i.temperature), " ", i.exemplar, "\n");
    if (plan.refill > 0) out += concat("refill ", plan.refill, "\n");
  }
  return out + transcript(step.batch);
}

std::string transcript_by_prompt(DrivenStep step) {
  Plan all;
  for (const Plan& plan : step.plans)
    all.generate.insert(all.generate.end(), plan.generate.begin(), plan.generate.end());
  std::sort(all.generate.begin(), all.generate.end(), [](const Issued& a, const Issued& b) {
    return std::pair(a.prompt, a.first_seq) < std::pair(b.prompt, b.first_seq);
  });
  std::map<RolloutId, RolloutId> number;
  RolloutId next = 0;
  for (Issued& issued : all.generate) {
    for (std::uint32_t i = 0; i < issued.n; ++i) number[issued.first + i] = next + i;
    issued.first = next;
    next += issued.n;
  }
  for (TrainItem& item : step.batch.items)
    if (number.count(item.rollout)) item.rollout = number[item.rollout];
  step.plans = {all};
  return transcript(step);
}

}  // namespace allot::testing
