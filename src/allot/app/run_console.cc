#include "allot/app/run_console.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <optional>

namespace allot {
namespace {

// printf into a string; lines are short.
__attribute__((format(printf, 1, 2))) std::string formatted(const char* format, ...) {
  char buffer[256];
  std::va_list values;
  va_start(values, format);
  std::vsnprintf(buffer, sizeof buffer, format, values);
  va_end(values);
  return buffer;
}

std::optional<double> metric(std::span<const Metric> metrics, std::string_view name) {
  for (const Metric& m : metrics)
    if (m.name == name) return m.value;
  return std::nullopt;
}

std::string short_time(double seconds) {
  if (seconds < 10) return formatted("%.1f s", seconds);
  if (seconds < 120) return formatted("%.0f s", seconds);
  return formatted("%.0f min", seconds / 60);
}

std::string outcome_triad(std::span<const Metric> metrics) {
  const auto mixed = metric(metrics, "group/frac_mixed");
  const auto good = metric(metrics, "group/frac_all_good");
  const auto bad = metric(metrics, "group/frac_all_bad");
  if (!mixed || !good || !bad) return "";
  return formatted("  mixed %3.0f %%, all right %3.0f %%, all wrong %3.0f %%", 100 * *mixed,
                   100 * *good, 100 * *bad);
}

// "step   12/100  reward 0.412  mixed  40 %, ...  rollouts 256 (trained 104)  tokens 4100
// (trained 1600)  loss 0.0001  |grad| 0.520  0.31 s"
std::string summary(const StepRecord& record, std::uint64_t steps) {
  const auto step = static_cast<unsigned long long>(record.step + 1);
  std::string text =
      steps > 0 ? formatted("step %4llu/%llu", step, static_cast<unsigned long long>(steps))
                : formatted("step %4llu", step);
  if (const auto reward = metric(record.metrics, "reward/first_round"))
    text += formatted("  reward %.3f", *reward);
  text += outcome_triad(record.metrics);
  text +=
      formatted("  rollouts %zu (trained %zu)", record.generated.size(), record.batch.items.size());
  text += formatted("  tokens %llu", static_cast<unsigned long long>(record.cost.generated));
  if (const auto trained = metric(record.metrics, "tokens/trained"))
    text += formatted(" (trained %.0f)", *trained);
  if (const auto loss = metric(record.metrics, "loss/total"))
    text += formatted("  loss %.4f", *loss);
  if (const auto norm = metric(record.metrics, "optim/grad_norm"))
    text += formatted("  |grad| %.3f", *norm);
  return text + formatted("  %.2f s", record.times.step);
}

}  // namespace

void RunConsole::begin_run(const std::string& name, std::uint64_t steps, int every) {
  steps_ = steps;
  every_ = std::max(1, every);
  run_start_ = clock_.seconds();
  first_seen_ = false;
  terminal_.line(name);
}

std::string RunConsole::time_left(std::uint64_t done) const {
  if (steps_ == 0 || done <= first_step_) return "";
  const double per_step = (clock_.seconds() - run_start_) / static_cast<double>(done - first_step_);
  return ", " + short_time(per_step * static_cast<double>(steps_ - std::min(steps_, done))) +
         " left";
}

void RunConsole::step(const StepRecord& record) {
  if (!first_seen_) {
    first_seen_ = true;
    first_step_ = record.step;
  }
  const std::uint64_t done = record.step + 1;
  if (!terminal_.is_interactive() || done % static_cast<std::uint64_t>(every_) == 0 ||
      done == steps_)
    terminal_.line("  " + summary(record, steps_) + time_left(done));
  explain_loss(record);
}

void RunConsole::explain_loss(const StepRecord& record) {
  const auto loss = metric(record.metrics, "loss/total");
  if (loss_explained_ || !loss || std::abs(*loss) > 1e-3) return;
  loss_explained_ = true;
  terminal_.line(
      "  a loss near 0 is normal: advantages of a group cancel out while the policy is the one "
      "that "
      "sampled; the gradient norm says whether anything is learned");
}

void RunConsole::event(const Event& event) {
  if (event.severity == Severity::Info)
    terminal_.line("  " + event.text);
  else
    terminal_.warning("  warning: " + event.text);
}

void RunConsole::progress(const Progress& progress) {
  const double now = clock_.seconds();
  if (!terminal_.is_interactive() || progress.total <= 0) return;
  if (progress.phase != phase_ || progress.done < phase_done_) {
    phase_ = progress.phase;
    phase_start_ = now;
    phase_tokens_ = 0;
  }
  phase_done_ = progress.done;
  if (progress.tokens > phase_tokens_) phase_tokens_ = progress.tokens;
  if (now - last_bar_ < 0.1) return;
  last_bar_ = now;
  constexpr int kWidth = 24;
  const double share = std::clamp(progress.done / progress.total, 0.0, 1.0);
  const auto full = static_cast<std::size_t>(share * kWidth);
  std::string bar = formatted(
      "  %-10s [%s%s] %3.0f %%  %.0f/%.0f", progress.phase.c_str(), std::string(full, '#').c_str(),
      std::string(kWidth - full, ' ').c_str(), 100 * share, progress.done, progress.total);
  const double seconds = now - phase_start_;
  if (seconds > 0.5 && phase_tokens_ > 0)
    bar += formatted("  %.0f tokens/s", static_cast<double>(phase_tokens_) / seconds);
  if (seconds > 0.5 && share > 0) bar += "  " + short_time(seconds * (1 - share) / share) + " left";
  terminal_.bar(bar);
}

}  // namespace allot
