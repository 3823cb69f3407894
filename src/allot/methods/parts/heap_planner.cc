#include "allot/methods/parts/heap_planner.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <queue>

#include "allot/core/error.h"
#include "allot/core/random.h"
#include "allot/methods/parts/requests.h"

namespace allot {
namespace {

constexpr std::uint32_t kGainTieDraw = 0x7e1;  // RandomKey::seq of the permutation

struct Offer {
  double gain = 0;
  std::uint64_t tie = 0;
  std::size_t prompt = 0;

  bool operator<(const Offer& other) const {  // priority_queue: the largest comes first
    return gain != other.gain ? gain < other.gain : tie > other.tie;
  }
};

}  // namespace

std::vector<std::uint32_t> split_budget(const Gain& gain, PerPrompt bounds, std::uint64_t budget,
                                        std::span<const std::uint64_t> tie_order) {
  const std::size_t prompts = tie_order.size();
  if (budget < std::uint64_t{bounds.least} * prompts ||
      budget > std::uint64_t{bounds.most} * prompts)
    throw Error(ErrorKind::Internal, "heap planner",
                concat(budget, " rollouts were given for ", prompts, " prompts; between ",
                       bounds.least, " and ", bounds.most, " each are needed"));
  std::vector<std::uint32_t> n(prompts, bounds.least);
  std::vector<Offer> offers;
  for (std::size_t i = 0; i < prompts && bounds.least < bounds.most; ++i)
    offers.push_back({gain(i, bounds.least + 1), tie_order[i], i});
  std::priority_queue<Offer> queue({}, std::move(offers));
  for (std::uint64_t left = budget - std::uint64_t{bounds.least} * prompts; left > 0; --left) {
    const Offer best = queue.top();
    queue.pop();
    const std::uint32_t now = ++n[best.prompt];
    if (now < bounds.most) queue.push({gain(best.prompt, now + 1), best.tie, best.prompt});
  }
  return n;
}

std::vector<std::uint64_t> fixed_tie_order(std::span<const PromptId> prompts, std::uint64_t seed) {
  std::vector<std::size_t> order(prompts.size());
  std::iota(order.begin(), order.end(), 0u);
  std::vector<std::uint32_t> draws;
  for (const PromptId id : prompts)
    draws.push_back(RandomStream({seed, RandomUse::Method, 0, id, kGainTieDraw}).word_at(0));
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(draws[a], prompts[a]) < std::pair(draws[b], prompts[b]);
  });
  std::vector<std::uint64_t> places(prompts.size());
  for (std::size_t place = 0; place < order.size(); ++place) places[order[place]] = place;
  return places;
}

FeasibleStep feasible_step(std::size_t prompts, PerPrompt wanted, PerPrompt allowed,
                           std::uint64_t budget) {
  FeasibleStep step{prompts, wanted, budget};
  PerPrompt& b = step.bounds;
  b.least = std::clamp(b.least, allowed.least, allowed.most);
  b.most = std::clamp(b.most, b.least, allowed.most);
  if (budget < std::uint64_t{b.least} * prompts) {
    step.relaxed = true;
    b.least = std::max(allowed.least, static_cast<std::uint32_t>(budget / prompts));
    step.prompts = std::min<std::size_t>(prompts, budget / b.least);
  }
  if (budget > std::uint64_t{b.most} * step.prompts) {
    step.relaxed = prompts > 0;
    const std::size_t planned = std::max<std::size_t>(1, step.prompts);
    const std::uint64_t enough = (budget + planned - 1) / planned;
    b.most = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(enough, b.most, allowed.most));
    step.budget = std::min(budget, std::uint64_t{b.most} * step.prompts);
  }
  return step;
}

std::uint64_t step_rollouts(const Budget& budget, std::size_t prompts, std::uint32_t group_size) {
  std::uint64_t aim = budget.rollouts;
  if (aim == 0) aim = budget.hard_rollouts.value_or(std::uint64_t{prompts} * group_size);
  if (prompts < budget.groups) aim = aim * prompts / budget.groups;
  return std::min(aim, affordable_rollouts(budget));
}

PerPrompt allowed_bounds(const Budget& budget) {
  const std::uint32_t most =
      budget.n_max > 0 ? budget.n_max : std::numeric_limits<std::uint32_t>::max();
  return {std::min(most, std::max<std::uint32_t>(2, budget.n_min)), most};
}

std::vector<std::uint32_t> even_split(std::uint64_t budget,
                                      std::span<const std::uint64_t> tie_order) {
  if (tie_order.empty()) return {};
  const std::uint64_t each = budget / tie_order.size(), rest = budget % tie_order.size();
  std::vector<std::size_t> order(tie_order.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return tie_order[a] < tie_order[b]; });
  std::vector<std::uint32_t> n(tie_order.size(), static_cast<std::uint32_t>(each));
  for (std::size_t i = 0; i < rest; ++i) ++n[order[i]];
  return n;
}

std::vector<std::uint32_t> split_known(const Gain& gain, const std::vector<bool>& known,
                                       PerPrompt bounds, std::uint64_t budget,
                                       std::span<const std::uint64_t> tie_order) {
  std::vector<std::size_t> parts[2];  // positions of unknown and of known prompts
  std::vector<std::uint64_t> ties[2];
  for (std::size_t i = 0; i < known.size(); ++i) {
    parts[known[i]].push_back(i);
    ties[known[i]].push_back(tie_order[i]);
  }
  const std::uint64_t unknown = parts[0].size(), rest = parts[1].size();
  const std::uint64_t most_of_rest = bounds.most * rest, least_of_rest = bounds.least * rest;
  const std::uint64_t low =
      std::max(bounds.least * unknown, budget - std::min(budget, most_of_rest));
  const std::uint64_t high = std::min(bounds.most * unknown, budget - least_of_rest);
  const std::uint64_t share = known.empty() ? 0 : budget * unknown / known.size();
  const std::uint64_t even = std::clamp(share, low, high);
  const auto first = even_split(even, ties[0]);
  const auto second =
      split_budget([&](std::size_t k, std::uint32_t n) { return gain(parts[1][k], n); }, bounds,
                   budget - even, ties[1]);
  std::vector<std::uint32_t> out(known.size());
  for (std::size_t k = 0; k < unknown; ++k) out[parts[0][k]] = first[k];
  for (std::size_t k = 0; k < rest; ++k) out[parts[1][k]] = second[k];
  return out;
}

}  // namespace allot
