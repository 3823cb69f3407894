// Names that users bring from other trainers, and where they went.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace allot {

// TRL's name of a setting -> ours ("num_generations" -> "alloc.group_size"); nullopt: no alias.
std::optional<std::string> alias_target(std::string_view name);

// What to say about a name of verl, OpenRLHF or NeMo-RL that is not accepted; "" if unknown.
std::string foreign_name_hint(std::string_view name);

}  // namespace allot
