// Tables as CSV (RFC 4180): for spreadsheets and data frames.
#pragma once

#include <string>

#include "allot/report/text_table.h"

namespace allot {

// The header and the rows, each ended by a line feed. A cell with a comma, a quote or a line break
// is quoted. Text that a spreadsheet would run as a formula (it begins with = + - @ and is no
// number) is led by an apostrophe, which spreadsheets hide.
std::string csv_text(const TextTable& table);

// A number that reads back as the same double; "" for one that is none.
std::string csv_number(double value);

}  // namespace allot
