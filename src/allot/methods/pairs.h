// Which methods can be combined (methods/combination.h), as entries of the registry.
//
// First stands a method with Role::Chooser, second one with Role::InGroup. A chooser deals with
// groups of the size of the inner method's first round: it is made with that as its
// alloc.group_size, and the pair is refused if it cannot choose such groups.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "allot/methods/registry.h"

namespace allot {

// True for names with a '+', legal or not.
bool is_combination(std::string_view name);

// Every legal pair of registered methods, choosers in the order of the registry.
const std::vector<MethodInfo>& combinations();

// Throws Error(Config) that says why the pair is not one.
const MethodInfo& combination_info(std::string_view name);

// {"mopps", "aero"} of "mopps+aero"; {"grpo"} of "grpo".
std::vector<std::string> parts_of(std::string_view name);

// The registered methods of one role.
std::vector<std::string> names_with(Role role);

}  // namespace allot
