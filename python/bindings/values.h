// Single values from Python: whole numbers, numbers, yes or no, text, each checked.
//
// Everything here throws Error(Data) "[where] WHAT was given; NEEDED is needed". A numpy scalar
// counts as the number it holds; a bool is no whole number, and no text is ever read as a number.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <nanobind/stl/string.h>

#include "bindings/bindings.h"

namespace allot::python {

// Where a value stands, put into words only when something is wrong with it.
struct Place {
  std::string_view what;    // "outcomes.reward"
  std::ptrdiff_t row = -1;  // of a column; -1: not one of many
  std::string_view hint = {};
  std::string_view field = {};  // of a record: "reward"

  std::string text() const;
};

// "the str 'abc'", "None", "an array of float64 with shape (3, 2)".
std::string described(nb::handle value);

[[noreturn]] void refuse(const Place& place, std::string_view given, std::string_view needed);
[[noreturn]] void refuse_value(const Place& place, nb::handle value, std::string_view needed);

// The largest of 32, 63 and 64 bits.
inline constexpr std::uint64_t kMost32 = std::numeric_limits<std::uint32_t>::max();
inline constexpr std::uint64_t kMost63 = std::numeric_limits<std::int64_t>::max();
inline constexpr std::uint64_t kMost64 = std::numeric_limits<std::uint64_t>::max();

std::uint64_t whole(nb::handle value, const Place& place, std::uint64_t low, std::uint64_t high,
                    std::string_view needed);
std::int64_t whole_or_negative(nb::handle value, const Place& place, std::string_view needed);
double number(nb::handle value, const Place& place, std::string_view needed);
bool yes_no(nb::handle value, const Place& place);
std::string text(nb::handle value, const Place& place, std::string_view needed);

// The index of a str among `names`.
std::size_t one_of(nb::handle value, const Place& place, const std::vector<std::string>& names);

// Calls set(index, value) for every keyword of a call; an unknown one is Error(Config) with the
// nearest of `names`.
void each_keyword(nb::dict given, const std::vector<std::string>& names, std::string_view where,
                  const std::function<void(std::size_t, nb::handle)>& set);

// A dict, or anything with keys() such as a data frame.
bool is_mapping(nb::handle value);
nb::dict dict_of(nb::handle mapping);

bool is_text(nb::handle value);    // str or bytes
bool is_whole(nb::handle value);   // int or a numpy integer, not bool
bool is_number(nb::handle value);  // also float, bool, and whatever has __float__; not text

}  // namespace allot::python
