// The effective gradient scale of the methods for people, programs and the docs: `allot methods
// --scale`. The numbers are methods/scale_table.h.
#pragma once

#include <string>

namespace allot {

std::string scale_text();      // an aligned table and what it means
std::string scale_markdown();  // the table
// {"rates": [..], "rows": [{"label", "method", "settings", "values"}]}
std::string scale_json();
std::string scale_svg();  // the main rows as curves over the pass rate; stands alone

}  // namespace allot
