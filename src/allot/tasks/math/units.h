// Units of measurement: a closed table, their spellings, and what a unit is worth in another.
// Source: verifier specification, section 6, K6 to K9.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "allot/tasks/math/rational.h"

namespace allot::verify {

struct Unit {
  std::string name;       // canonical: "m", "km/h" as "km h^-1", "cm^2"; "" = none
  std::string dimension;  // "L", "L T^-1", ...: units of one dimension can be converted
  Rational factor = 1;    // size in the base unit of its dimension
  bool empty() const { return name.empty(); }
};

// True for names of two or more letters (one letter is a unit only by where it stands).
bool is_unit_name(std::string_view name);
bool is_unit_letter(std::string_view name);

struct UnitText {
  Unit unit;               // empty if the text is none
  bool annotated = false;  // words follow that are no unit
};

// Reads the text behind a value: "miles per hour", "cm^2", "square units long". nullopt where it
// could change the claim: digits outside a power, or one of the words or, and, not, except.
std::optional<UnitText> read_unit(std::string_view text, Work& work);

}  // namespace allot::verify
