// The methods there are, for people and for programs: `allot methods [NAME]`.
#pragma once

#include <string>
#include <string_view>

namespace allot {

std::string methods_text();                      // one line per method
std::string method_text(std::string_view name);  // summary, paper, needs, options
// {"methods": [{"name", "summary", "paper", "needs", "options": [..]}]}; "" = all methods.
std::string methods_json(std::string_view name = {});

}  // namespace allot
