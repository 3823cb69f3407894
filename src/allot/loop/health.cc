#include "allot/loop/health.h"

#include <algorithm>
#include <cmath>

#include "allot/core/error.h"

namespace allot {
namespace {

std::string percent(double share) { return concat(std::lround(100 * share), " %"); }

// What a user can do about a cause.
const char* remedy(ZeroCause cause) {
  switch (cause) {
    case ZeroCause::AllRight:
      return "these prompts are solved; harder ones or an adaptive alloc.method help";
    case ZeroCause::AllWrong:
      return "these prompts are out of reach; easier ones, a longer warm start or a larger "
             "alloc.group_size help";
    case ZeroCause::Truncated:
      return "answers hit the limit; raise rollout.max_new_tokens";
    case ZeroCause::NoAnswer:
      return "no answer could be read; check the prompt's format and the verifier";
    case ZeroCause::Tie:
      return "rewards differ by less than adv.resolution";
    case ZeroCause::Single:
      return "groups of one have no baseline; raise alloc.group_size";
    case ZeroCause::VerifierError:
    case ZeroCause::Unscorable:
      return "the verifier could not score; see the events";
    default:
      return "generation failed; see the events";
  }
}

}  // namespace

std::optional<Event> HealthWatch::step(std::uint64_t step, std::span<const GroupReport> reports,
                                       const PromptSource& prompts) {
  std::array<std::uint64_t, 10> now{};
  for (const GroupReport& report : reports) ++now[static_cast<std::size_t>(report.cause)];
  for (std::size_t i = 0; i < now.size(); ++i) causes_[i] += now[i];
  planned_ += reports.size();

  const auto leading = std::max_element(now.begin() + 1, now.end());
  const double share =
      reports.empty() ? 0 : static_cast<double>(*leading) / static_cast<double>(reports.size());
  if (share > options_.warn_share &&
      static_cast<std::int64_t>(step) - last_warning_ >= options_.warn_every) {
    last_warning_ = static_cast<std::int64_t>(step);
    const auto cause = static_cast<ZeroCause>(leading - now.begin());
    std::string named;
    int left = 3;
    for (const GroupReport& report : reports)
      if (report.cause == cause && left-- > 0)
        named += concat(named.empty() ? "" : ", ", prompts.get(report.prompt).key);
    return Event{Severity::Warning, "zero_signal",
                 concat(percent(share), " of the prompts carry no signal (", name(cause),
                        "), e.g. ", named, ": ", remedy(cause)),
                 step};
  }
  if (options_.report_every > 0 && (step + 1) % options_.report_every == 0) {
    Event event{Severity::Info, "health", shares(), step};
    causes_.fill(0);
    planned_ = 0;
    return event;
  }
  return std::nullopt;
}

std::string HealthWatch::shares() const {
  const double all = std::max<double>(1, static_cast<double>(planned_));
  std::string text = concat("prompts with signal ", percent(static_cast<double>(causes_[0]) / all));
  for (std::size_t i = 1; i < causes_.size(); ++i)
    if (causes_[i] > 0)
      text += concat(", ", name(static_cast<ZeroCause>(i)), ' ',
                     percent(static_cast<double>(causes_[i]) / all));
  return text;
}

}  // namespace allot
