// The sections of the page; each "" where there is nothing to show.
#pragma once

#include <string>

#include "allot/report/comparison.h"

namespace allot {

std::string html_results(const Comparison& comparison);    // tables of the comparison
std::string html_curves(const Comparison& comparison);     // accuracy and reward over cost
std::string html_budget(const Comparison& comparison);     // where rollouts, tokens, time went
std::string html_causes(const Comparison& comparison);     // prompts without a signal
std::string html_knowledge(const Comparison& comparison);  // forecasts against what was seen
std::string html_prompts(const Comparison& comparison);    // the ledger: states over time, map
std::string html_samples(const Comparison& comparison);    // rollouts with their text
std::string html_events(const Comparison& comparison);     // warnings
std::string html_setup(const Comparison& comparison);      // configurations, environment

// A fact of the first run that has it; "" if none has.
std::string fact_of(const Comparison& comparison, const char* key);

}  // namespace allot
