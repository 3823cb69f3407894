#include "allot/cli/console.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

namespace allot {
namespace {

std::optional<double> metric(std::span<const Metric> metrics, std::string_view name) {
  for (const Metric& m : metrics)
    if (m.name == name) return m.value;
  return std::nullopt;
}

std::string seconds_short(double seconds) {
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  if (seconds < 120) return fmt::format("{:.0f} s", seconds);
  return fmt::format("{:.0f} min", seconds / 60);
}

std::string triad(std::span<const Metric> metrics) {
  const auto mixed = metric(metrics, "group/frac_mixed");
  const auto good = metric(metrics, "group/frac_all_good");
  const auto bad = metric(metrics, "group/frac_all_bad");
  if (!mixed || !good || !bad) return "";
  return fmt::format("  mixed {:3.0f} %, all right {:3.0f} %, all wrong {:3.0f} %", 100 * *mixed,
                     100 * *good, 100 * *bad);
}

// "step 12/100  reward .412  mixed 40 %, ...  rollouts 256 (trained 104)  |grad| .52  0.31 s"
std::string summary(const StepRecord& record, std::uint64_t steps) {
  std::string text = steps ? fmt::format("step {:4}/{}", record.step + 1, steps)
                           : fmt::format("step {:4}", record.step + 1);
  if (const auto reward = metric(record.metrics, "reward/first_round"))
    text += fmt::format("  reward {:.3f}", *reward);
  text += triad(record.metrics);
  text +=
      fmt::format("  rollouts {} (trained {})", record.generated.size(), record.batch.items.size());
  if (const auto norm = metric(record.metrics, "optim/grad_norm"))
    text += fmt::format("  |grad| {:.3f}", *norm);
  return text + fmt::format("  {:.2f} s", record.times.step);
}

}  // namespace

void Console::begin_run(const std::string& name, std::uint64_t steps, int every) {
  run_ = name;
  steps_ = steps;
  every_ = std::max(1, every);
  run_start_ = clock_.seconds();
  first_seen_ = false;
  line(run_);
}

void Console::end_run() { clear_bar(); }

void Console::line(const std::string& text) {
  if (quiet_) return;
  clear_bar();
  fmt::print(out_, "{}\n", text);
  std::fflush(out_);
}

std::string Console::time_left(std::uint64_t done) const {
  if (steps_ == 0 || done <= first_step_) return "";
  const double per_step = (clock_.seconds() - run_start_) / static_cast<double>(done - first_step_);
  return ", " + seconds_short(per_step * static_cast<double>(steps_ - std::min(steps_, done))) +
         " left";
}

void Console::step(const StepRecord& record) {
  if (!first_seen_) {
    first_seen_ = true;
    first_step_ = record.step;
  }
  const std::uint64_t done = record.step + 1;
  const bool due = !tty_ || done % static_cast<std::uint64_t>(every_) == 0 || done == steps_;
  if (due) line("  " + summary(record, steps_) + time_left(done));
}

void Console::event(const Event& event) {
  if (quiet_ && event.severity == Severity::Info) return;
  clear_bar();
  const char* label = event.severity == Severity::Warning ? "warning: "
                      : event.severity == Severity::Error ? "error: "
                                                          : "";
  fmt::print(out_, "  {}{}\n", label, event.text);
  std::fflush(out_);
}

void Console::progress(const Progress& progress) {
  if (quiet_ || !tty_ || progress.total <= 0) return;
  const double now = clock_.seconds();
  if (now - last_draw_ < 0.1) return;
  last_draw_ = now;
  constexpr int kWidth = 24;
  const double share = std::clamp(progress.done / progress.total, 0.0, 1.0);
  const int full = static_cast<int>(share * kWidth);
  draw_bar(fmt::format("  {:<10} [{}{}] {:3.0f} %  {:.0f}/{:.0f}", progress.phase,
                       std::string(static_cast<std::size_t>(full), '#'),
                       std::string(static_cast<std::size_t>(kWidth - full), ' '), 100 * share,
                       progress.done, progress.total));
}

void Console::clear_bar() {
  if (!bar_shown_) return;
  fmt::print(out_, "\r\x1b[K");
  bar_shown_ = false;
}

void Console::draw_bar(const std::string& text) {
  clear_bar();
  fmt::print(out_, "{}", text);
  std::fflush(out_);
  bar_shown_ = true;
}

}  // namespace allot
