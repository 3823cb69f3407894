// Names that users bring from other trainers, and where they went.
//
// TRL's names of settings are accepted, with TRL's values; most stand for one key of ours. Four of
// them together say how large a step and an update are (batch arithmetic). verl's, OpenRLHF's and
// NeMo-RL's names are not accepted; the error says which key of ours means the same.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allot/app/yaml_file.h"

namespace allot {

// TRL's name of a setting -> ours ("num_generations" -> "alloc.group_size"); nullopt: no alias.
std::optional<std::string> alias_target(std::string_view name);

std::vector<std::string> alias_names();

// What to say about a name that is not accepted; "" if unknown.
std::string foreign_name_hint(std::string_view name);

// The same setting under our key with our value: report_to -> log.to, log_completions True -> 4.
// Others come back as they are.
Setting translated(const Setting& setting);

// What TRL means by names beside the values of single keys: the KL term of beta, masks, the
// correction of the sampler's probabilities. Under our keys, for those that nobody sets.
std::vector<Setting> implied_settings(const std::vector<Setting>& given);

// Names that only implied_settings() knows what to do with.
bool is_part_setting(std::string_view name);

// TRL's batch arithmetic: per_device_train_batch_size x steps_per_generation (or
// gradient_accumulation_steps) or generation_batch_size rollouts a step, of num_generations per
// prompt; per_device_train_batch_size x gradient_accumulation_steps of them per update. Values that
// are not given are TRL's defaults.
bool is_batch_setting(std::string_view name);

// train.prompts_per_step and train.minibatch_rows for the settings of that kind, none without any.
// Throws Error(Config) with the numbers and the nearest valid ones where they do not divide.
std::vector<Setting> batch_settings(const std::vector<Setting>& given, int num_generations);

}  // namespace allot
