#include "allot/loop/health.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string_view>
#include <utility>

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

double metric(std::span<const Metric> metrics, std::string_view name) {
  for (const Metric& m : metrics)
    if (m.name == name) return m.value;
  return 0;
}

std::uint64_t sum(std::span<const std::uint64_t> counts) {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

double share_of(std::uint64_t part, std::uint64_t all) {
  return all > 0 ? static_cast<double>(part) / static_cast<double>(all) : 0;
}

// The cause that most of the prompts without signal share.
ZeroCause leading(std::span<const std::uint64_t> causes) {
  return static_cast<ZeroCause>(std::max_element(causes.begin() + 1, causes.end()) -
                                causes.begin());
}

// "all_wrong 70 %: these prompts are ..."
std::string cause_and_remedy(std::span<const std::uint64_t> causes) {
  const ZeroCause cause = leading(causes);
  return concat(name(cause), ' ',
                percent(share_of(causes[static_cast<std::size_t>(cause)], sum(causes))), ": ",
                remedy(cause));
}

}  // namespace

std::vector<Event> HealthWatch::step(const StepRecord& record) {
  Causes now{};
  for (const GroupReport& report : record.batch.reports)
    ++now[static_cast<std::size_t>(report.cause)];
  const std::uint64_t planned = sum(now);
  const bool is_poor = share_of(planned - now[0], planned) > options_.warn_share;
  if (!is_poor) poor_ = {};
  poor_steps_ = is_poor ? poor_steps_ + 1 : 0;
  silent_steps_ = now[0] == 0 ? silent_steps_ + 1 : 0;
  for (std::size_t i = 0; i < now.size(); ++i) {
    reported_[i] += now[i];
    if (is_poor) poor_[i] += now[i];
  }
  verifier_faults_ +=
      metric(record.metrics, "verifier/error") + metric(record.metrics, "verifier/not_scorable");

  std::vector<Event> events = constant_rewards_.step(record);
  for (std::optional<Event>& event :
       std::array{missing_answers_.step(record), warning(record, now), alarm(record.step),
                  line(record), stop(record.step)})
    if (event) events.push_back(std::move(*event));
  return events;
}

std::optional<Event> HealthWatch::warning(const StepRecord& record, const Causes& now) {
  const ZeroCause cause = leading(now);
  const double share = share_of(now[static_cast<std::size_t>(cause)], sum(now));
  if (share <= options_.warn_share ||
      static_cast<std::int64_t>(record.step) - last_warning_ < options_.warn_every)
    return std::nullopt;
  last_warning_ = static_cast<std::int64_t>(record.step);
  std::string named;
  int left = 3;
  for (const GroupReport& report : record.batch.reports)
    if (report.cause == cause && left-- > 0)
      named += concat(named.empty() ? "" : ", ", record.prompts.get(report.prompt).key);
  return Event{Severity::Warning, "zero_signal",
               concat(percent(share), " of the prompts carry no signal (", name(cause), "), e.g. ",
                      named, ": ", remedy(cause)),
               record.step};
}

std::optional<Event> HealthWatch::alarm(std::uint64_t step) {
  if (poor_steps_ < static_cast<std::uint64_t>(options_.warn_every)) return std::nullopt;
  const std::uint64_t planned = sum(poor_);
  Event event{
      Severity::Warning, "no_signal",
      concat("for ", poor_steps_, " steps more than ", percent(options_.warn_share),
             " of the groups carried no signal (", percent(share_of(planned - poor_[0], planned)),
             " on average), most of all ", cause_and_remedy(poor_)),
      step};
  poor_ = {};
  poor_steps_ = 0;
  return event;
}

std::optional<Event> HealthWatch::stop(std::uint64_t step) const {
  if (!must_stop()) return std::nullopt;
  return Event{Severity::Error, "health_stop",
               concat("no prompt carried signal for ", silent_steps_,
                      " steps, which ends the run (health.stop_after)"),
               step};
}

std::optional<Event> HealthWatch::line(const StepRecord& record) {
  if (options_.report_every == 0 ||
      (record.step + 1) % static_cast<std::uint64_t>(options_.report_every) != 0)
    return std::nullopt;
  const std::uint64_t planned = sum(reported_);
  std::string text = concat("prompts with signal ", percent(share_of(reported_[0], planned)));
  for (std::size_t i = 1; i < reported_.size(); ++i)
    if (reported_[i] > 0)
      text += concat(", ", name(static_cast<ZeroCause>(i)), ' ',
                     percent(share_of(reported_[i], planned)));
  text += concat("; prompts dead ", metric(record.metrics, "ledger/dead"), ", solved ",
                 metric(record.metrics, "ledger/solved"), "; verifier faults ", verifier_faults_);
  reported_ = {};
  verifier_faults_ = 0;
  return Event{Severity::Info, "health", std::move(text), record.step};
}

}  // namespace allot
