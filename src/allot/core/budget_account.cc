#include "allot/core/budget_account.h"

#include <algorithm>

#include "allot/core/error.h"

namespace allot {
namespace {

std::uint64_t minus(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; }

[[noreturn]] void exceed(const std::string& method, std::uint32_t n, std::uint64_t wanted,
                         std::uint64_t left, const char* cap, const char* unit) {
  throw Error(ErrorKind::Internal, concat("method ", method),
              concat("a request for ", n, " rollouts takes ", wanted, " ", unit, ", but only ",
                     left, " are left of ", cap, "; requests must stay within Budget::", cap));
}

}  // namespace

void BudgetAccount::open(const Budget& budget, std::uint64_t step, std::uint32_t host_max_tokens) {
  if (host_max_tokens > 0 && budget.max_tokens > host_max_tokens)
    throw Error(ErrorKind::Config, "controller.plan",
                concat("Budget::max_tokens is ", budget.max_tokens,
                       ", but the host's longest "
                       "answer has ",
                       host_max_tokens, " tokens"),
                "lower the length limit, or let the host serve it");
  const std::uint32_t max_tokens = budget.max_tokens > 0 ? budget.max_tokens : host_max_tokens;
  if (budget.hard_tokens && max_tokens == 0)
    throw Error(ErrorKind::Config, "controller.plan",
                "hard_tokens is set, but the longest answer is unknown; a request reserves "
                "n * max_tokens",
                "set Budget::max_tokens or HostTraits::max_tokens");
  given_ = budget;
  given_.max_tokens = max_tokens;
  step_ = step;
  issued_ = open_ = used_tokens_ = 0;
}

void BudgetAccount::reserve(std::uint32_t n, const std::string& method) {
  const Budget now = left();
  if (now.hard_rollouts && n > *now.hard_rollouts)
    exceed(method, n, n, *now.hard_rollouts, "hard_rollouts", "rollouts");
  if (now.run_rollouts && n > *now.run_rollouts)
    exceed(method, n, n, *now.run_rollouts, "run_rollouts", "rollouts");
  const std::uint64_t tokens = std::uint64_t{n} * given_.max_tokens;
  if (now.hard_tokens && tokens > *now.hard_tokens)
    exceed(method, n, tokens, *now.hard_tokens, "hard_tokens", "tokens");
  issued_ += n;
  open_ += n;
  run_issued_ += n;
}

void BudgetAccount::settle(std::uint32_t tokens) {
  --open_;
  used_tokens_ += tokens;
}

Budget BudgetAccount::left() const {
  Budget left = given_;
  left.rollouts = minus(given_.rollouts, issued_);
  if (given_.tokens > 0)
    left.tokens = std::max<std::uint64_t>(1, minus(given_.tokens, used_tokens_));
  if (left.hard_rollouts) left.hard_rollouts = minus(*given_.hard_rollouts, issued_);
  if (left.hard_tokens)
    left.hard_tokens = minus(*given_.hard_tokens, used_tokens_ + open_ * given_.max_tokens);
  if (left.run_rollouts) left.run_rollouts = minus(*given_.run_rollouts, run_issued_);
  if (left.run_steps) left.run_steps = minus(*given_.run_steps, step_);
  return left;
}

}  // namespace allot
