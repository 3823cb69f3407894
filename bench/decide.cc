// What deciding costs: nanoseconds per rollout, milliseconds per step and allocations per rollout
// of each method by itself, for 1,024 prompts per step; and with 1,000,000 prompts known the time
// of plan() and of a step, and the bytes of state per prompt.
//
//   bench/decide [--methods a,b] [--prompts 1024] [--pool 1000000] [--steps 20] [--json]
//
// The host's side is only an outcome per rollout, right with the prompt's pass rate; the
// Controller's own work is left out. Methods that draw from the whole pool see it in every step.
// vip, whose Gaussian process is as slow with few prompts as with many, is shown with 8,192 known.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <unordered_map>
#include <vector>

#include <malloc.h>

#include "allot/core/random.h"
#include "allot/methods/registry.h"
#include "program.h"

namespace {

// Every allocation of the program, and the bytes that are in use.
std::atomic<std::uint64_t> allocations = 0;
std::atomic<std::int64_t> bytes_in_use = 0;

}  // namespace

void* operator new(std::size_t size) {
  void* const memory = std::malloc(size);
  if (!memory) throw std::bad_alloc();
  allocations.fetch_add(1, std::memory_order_relaxed);
  bytes_in_use.fetch_add(static_cast<std::int64_t>(malloc_usable_size(memory)),
                         std::memory_order_relaxed);
  return memory;
}
void operator delete(void* memory) noexcept {
  if (memory)
    bytes_in_use.fetch_sub(static_cast<std::int64_t>(malloc_usable_size(memory)),
                           std::memory_order_relaxed);
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }

namespace allot {
namespace {

using bench::median;
using bench::now;

constexpr std::uint32_t kGroupSize = 8;

struct Arguments {
  std::vector<std::string> methods = method_names();
  std::uint32_t prompts = 1024, pool = 1000000;
  int steps = 20;
  bool json = false;
};

// A host without a Controller: numbers rollouts, makes outcomes, answers wishes.
class Host {
 public:
  Host(Method& method, std::uint32_t pool) : method_(method), needs_(method.needs()), pool_(pool) {
    for (std::uint32_t i = 0; i < pool; ++i)
      embeddings_.push_back(static_cast<float>(RandomStream({9, RandomUse::Test, 0, i}).normal()));
    if (needs_.draw == Draw::Pool)
      for (std::uint32_t i = 0; i < pool; ++i) all_.push_back(ref(i));
  }

  // Of one step, inside the method.
  struct Cost {
    double plan_s = 0, step_s = 0;
    std::uint64_t rollouts = 0, allocations = 0, observing = 0;  // the last one: in observe()
  };
  template <class Call>
  auto timed(Call call) {
    const std::uint64_t allocations_before = allocations;
    const double start = now();
    auto result = call();
    cost_.step_s += now() - start;
    cost_.allocations += allocations - allocations_before;
    return result;
  }

  // A step of `prompts` groups.
  Cost step(std::uint32_t prompts) {
    prompts_ = prompts;
    cost_ = {};
    shown_.clear();
    const auto wanted = static_cast<std::size_t>(
        std::max(1.0f, static_cast<float>(prompts_) * needs_.candidate_factor));
    Budget budget;
    budget.groups = prompts_;
    budget.rollouts = std::uint64_t{prompts_} * kGroupSize;
    budget.run_steps = 1 << 20;
    budget.run_rollouts = *budget.run_steps * budget.rollouts;
    const std::vector<PromptRef> candidates = needs_.draw == Draw::Pool ? all_ : draw(wanted);
    const double before = cost_.step_s;
    Decision decision = timed([&] {
      return method_.plan({.step = step_,
                           .policy = version_,
                           .seed = 1,
                           .candidates = candidates,
                           .budget = budget});
    });
    cost_.plan_s = cost_.step_s - before;
    while (!decision.done) {
      const std::vector<Outcome> outcomes = answers(decision);
      const std::vector<PromptRef> more = draw(decision.refill);
      const bool idle = outcomes.empty() && decision.refill == 0;
      if (outcomes.empty() || needs_.grain == Grain::Round) {
        decision = tell(outcomes, more, budget, idle);
      } else {
        decision = one_by_one(outcomes, budget);
      }
      if (idle) break;
    }
    const TrainBatch batch = timed([&] { return method_.finalize(); });
    Feedback feedback{.step = step_, .before = version_, .after = version_ + 1, .updated = true};
    for (const TrainItem& item : batch.items) feedback.items.push_back({item.rollout, 1, 0});
    timed([&] {
      method_.feedback(feedback);
      return 0;
    });
    ++step_;
    ++version_;
    return cost_;
  }

 private:
  PromptRef ref(std::uint32_t i) { return {i, 0, std::span(embeddings_).subspan(i, 1)}; }

  std::vector<PromptRef> draw(std::size_t wanted) {
    std::vector<PromptRef> refs;
    for (std::size_t i = 0; i < std::min<std::size_t>(wanted, pool_); ++i)
      refs.push_back(ref(static_cast<std::uint32_t>(cursor_++ % pool_)));
    return refs;
  }

  std::vector<Outcome> answers(const Decision& decision) {
    std::vector<Outcome> outcomes;
    for (const GenRequest& request : decision.generate) {
      Seen& seen = shown_[request.prompt];
      RandomStream random({3, RandomUse::Test, step_, request.prompt, seen.rounds});
      const double p = RandomStream({4, RandomUse::Test, 0, request.prompt}).uniform();
      for (std::uint32_t i = 0; i < request.n; ++i) {
        Outcome outcome;
        outcome.id = ++next_id_;
        outcome.prompt = request.prompt;
        outcome.tag = request.tag;
        outcome.seq = seen.rollouts++;
        outcome.round = seen.rounds;
        outcome.behaviour = version_;
        outcome.correct = random.uniform() < p;
        outcome.reward = outcome.correct;
        outcome.answer_class = outcome.correct ? 0 : 1;
        outcome.tokens = 500 + request.prompt % 1000;
        outcomes.push_back(outcome);
      }
      ++seen.rounds;
    }
    cost_.rollouts += outcomes.size();
    return outcomes;
  }

  Decision tell(std::span<const Outcome> outcomes, std::span<const PromptRef> more,
                const Budget& budget, bool idle) {
    const Events events{outcomes, more, budget, idle};
    const std::uint64_t before = cost_.allocations;
    Decision decision = timed([&] { return method_.observe(events); });
    cost_.observing += cost_.allocations - before;
    return decision;
  }

  // For finer grains: what is cancelled is not handed out any more.
  Decision one_by_one(const std::vector<Outcome>& outcomes, const Budget& budget) {
    Decision all;
    std::unordered_map<PromptId, bool> cancelled;
    for (const Outcome& original : outcomes) {
      Outcome outcome = original;
      if (cancelled.count(outcome.prompt)) outcome.status = Status::Cancelled;
      const Decision decision = tell({&outcome, 1}, {}, budget, false);
      all.generate.insert(all.generate.end(), decision.generate.begin(), decision.generate.end());
      for (const PromptId prompt : decision.cancel) cancelled[prompt] = true;
      all.refill += decision.refill;
      all.done = decision.done;
      if (all.done) break;
    }
    return all;
  }

  struct Seen {
    std::uint32_t rollouts = 0, rounds = 0;
  };
  Method& method_;
  Needs needs_;
  std::uint32_t pool_, prompts_ = 0;
  std::vector<float> embeddings_;
  std::vector<PromptRef> all_;
  std::unordered_map<PromptId, Seen> shown_;
  std::uint64_t step_ = 0, cursor_ = 0;
  Version version_ = 0;
  RolloutId next_id_ = 0;
  Cost cost_;
};

struct Row {
  std::string method;
  double ns_per_rollout = 0, step_ms = 0, plan_ms = 0;
  double bytes_per_prompt = 0, allocations = 0, observing = 0;  // per rollout
};

std::unique_ptr<Method> make(const std::string& name) {
  AllocOptions alloc;
  alloc.method = name;
  alloc.group_size = kGroupSize;
  return make_method(alloc, {});
}

// A Gaussian process costs the cube of what it sees at a time.
bool is_cubic(const std::string& name) { return name == "vip"; }

// `pool` prompts, every one of them known before the timed steps.
Row measure(const std::string& name, std::uint32_t prompts, std::uint32_t pool, int steps) {
  const auto method = make(name);
  Host host(*method, pool);
  const std::int64_t empty = bytes_in_use;
  if (method->needs().draw != Draw::Pool) {  // that knows all prompts after its first step
    const std::uint32_t many = is_cubic(name) ? prompts : std::max(prompts, pool / 32);
    for (std::uint64_t seen = 0; seen < pool + many; seen += many) host.step(many);
  }
  for (int i = 0; i < 10; ++i) host.step(prompts);
  Row row{.method = name, .bytes_per_prompt = static_cast<double>(bytes_in_use - empty) / pool};
  std::vector<double> plan, step, per_rollout;
  std::uint64_t rollouts = 0, allocated = 0, observing = 0;
  for (int i = 0; i < steps; ++i) {
    const Host::Cost cost = host.step(prompts);
    plan.push_back(1e3 * cost.plan_s);
    step.push_back(1e3 * cost.step_s);
    if (cost.rollouts > 0)
      per_rollout.push_back(1e9 * cost.step_s / static_cast<double>(cost.rollouts));
    rollouts += cost.rollouts;
    allocated += cost.allocations;
    observing += cost.observing;
  }
  row.plan_ms = median(plan);
  row.step_ms = median(step);
  row.ns_per_rollout = per_rollout.empty() ? 0 : median(per_rollout);
  const auto count = static_cast<double>(std::max<std::uint64_t>(rollouts, 1));
  row.allocations = static_cast<double>(allocated) / count;
  row.observing = static_cast<double>(observing) / count;
  return row;
}

void print(const Row& small, const Row& large, const Arguments& arguments) {
  if (arguments.json) {
    std::printf(
        "{\"method\":\"%s\",\"prompts\":%u,\"ns_per_rollout\":%.1f,\"step_ms\":%.3f,\"pool\":%u,"
        "\"plan_ms\":%.3f,\"pool_step_ms\":%.3f,\"bytes_per_prompt\":%.1f,"
        "\"allocations_per_rollout\":%.4f,\"observing\":%.4f}\n",
        small.method.c_str(), arguments.prompts, small.ns_per_rollout, small.step_ms,
        arguments.pool, large.plan_ms, large.step_ms, large.bytes_per_prompt, small.allocations,
        small.observing);
    return;
  }
  std::printf("| %s | %.0f | %.2f | %.2f | %.2f | %.1f | %.1f | %.1f |\n", small.method.c_str(),
              small.ns_per_rollout, small.step_ms, small.allocations, small.observing,
              large.plan_ms, large.step_ms, large.bytes_per_prompt);
  std::fflush(stdout);
}

void run(const Arguments& arguments) {
  if (!arguments.json)
    std::printf(
        "| method | ns per rollout | ms per step | allocations per rollout | of them in observe() "
        "| plan, %u known (ms) | "
        "step, %u known (ms) | bytes per prompt |\n|---|---:|---:|---:|---:|---:|---:|---:|\n",
        arguments.pool, arguments.pool);
  const std::uint32_t small_pool = 8 * arguments.prompts;
  for (const std::string& name : arguments.methods) {
    const Row small = measure(name, arguments.prompts, small_pool, arguments.steps);
    const std::uint32_t pool = is_cubic(name) ? small_pool : arguments.pool;
    const Row large = measure(name, arguments.prompts, pool, arguments.steps);
    print(small, large, arguments);
  }
}

}  // namespace
}  // namespace allot

int main(int argc, char** argv) {
  allot::Arguments arguments;
  CLI::App app("Time, memory and allocations of the methods' decisions.");
  app.add_option("--methods", arguments.methods, "separated by commas")->delimiter(',');
  app.add_option("--prompts", arguments.prompts, "prompts per step")->check(CLI::Range(1, 1 << 30));
  app.add_option("--pool", arguments.pool, "prompts known")->check(CLI::Range(1, 1 << 30));
  app.add_option("--steps", arguments.steps, "timed steps")->check(CLI::Range(1, 1 << 30));
  app.add_flag("--json", arguments.json, "a JSON object per method instead of Markdown");
  return allot::bench::run_program(app, argc, argv, [&] { allot::run(arguments); });
}
