#include "allot/methods/parts/skipping.h"

#include "allot/core/error.h"
#include "allot/methods/parts/choosing.h"

namespace allot {

void SkipOptions::validate(const std::string& prefix) const {
  const auto require = [&](bool holds, const char* key, double given, const std::string& needed) {
    if (!holds)
      throw Error(ErrorKind::Config, prefix + "." + key,
                  concat(given, " was given; ", needed, " is needed"));
  };
  require(bounds.hard_to < bounds.easy_from, "hard_to", bounds.hard_to,
          concat("less than ", prefix, ".easy_from (", bounds.easy_from, ")"));
  require(p_low <= p_high, "p_low", p_low, concat("at most ", prefix, ".p_high (", p_high, ")"));
}

void Skipping::open(std::uint64_t seed, std::uint64_t step, std::uint32_t epoch) {
  seed_ = seed, step_ = step, epoch_ = epoch;
  skipped_easy_ = skipped_hard_ = skipped_lengths_ = 0;
}

std::vector<PromptRef> Skipping::survivors(std::span<const PromptRef> shown) {
  std::vector<PromptRef> kept;
  for (const PromptRef& prompt : shown) {
    UselessRun* run = runs_.find(prompt.id);
    if (!run || keeps(prompt.id, *run)) kept.push_back(prompt);
  }
  return kept;
}

bool Skipping::keeps(PromptId prompt, UselessRun& run) {
  const bool easy = run.side == Useless::Easy;
  const double keep = keep_probability(easy ? easy_.base : hard_.base, run.length, options_.floor);
  if (choice_stream(seed_, step_, prompt).uniform() < keep) {
    run.keep = static_cast<float>(keep);
    return true;
  }
  ++(easy ? skipped_easy_ : skipped_hard_);
  skipped_lengths_ += run.length;
  return false;
}

double Skipping::keep(PromptId prompt) const {
  const UselessRun* run = runs_.find(prompt);
  return run ? run->keep : 1;
}

void Skipping::learn(std::span<const GroupReport> reports, MetricList& metrics) {
  double easy = 0, hard = 0, all = 0;
  for (const GroupReport& report : reports) {
    if (report.counted_n == 0) continue;
    const Useless side = options_.bounds.side(double{report.counted_sum} / report.counted_n);
    runs_[report.prompt].visit(side);
    easy += side == Useless::Easy, hard += side == Useless::Hard, ++all;
  }
  metrics.set("p_easy", easy_.base);
  metrics.set("p_hard", hard_.base);
  metrics.set("skipped_easy", skipped_easy_);
  metrics.set("skipped_hard", skipped_hard_);
  metrics.set_share("skipped_z_mean", skipped_lengths_, skipped_easy_ + skipped_hard_);
  metrics.set_share("share_easy", easy, all);
  metrics.set_share("share_hard", hard, all);
  const SkipOptions& o = options_;
  if (all == 0 || epoch_ < static_cast<std::uint32_t>(o.adapt_from_epoch)) return;
  easy_.adapt(easy / all, o.target_easy, o.step, o.p_low, o.p_high);
  hard_.adapt(hard / all, o.target_hard, o.step, o.p_low, o.p_high);
}

}  // namespace allot
