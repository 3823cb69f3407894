#include "allot/tasks/math/units.h"

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "allot/tasks/math/normalise.h"

namespace allot::verify {
namespace {

struct Row {
  std::string_view name;       // canonical
  std::string_view dimension;  // "" = counts only as itself
  int top, bottom;             // size: top / bottom base units
  std::array<std::string_view, 8> spellings;
};

constexpr Row kUnits[] = {
    {"m", "L", 1, 1, {"m", "meter", "meters", "metre", "metres"}},
    {"cm", "L", 1, 100, {"cm", "centimeter", "centimeters", "centimetre", "centimetres", "cms"}},
    {"mm", "L", 1, 1000, {"mm", "millimeter", "millimeters", "millimetre", "millimetres"}},
    {"km", "L", 1000, 1, {"km", "kilometer", "kilometers", "kilometre", "kilometres", "kms"}},
    {"in", "L", 254, 10000, {"in", "inch", "inches"}},
    {"ft", "L", 3048, 10000, {"ft", "foot", "feet"}},
    {"yd", "L", 9144, 10000, {"yd", "yard", "yards", "yds"}},
    {"mi", "L", 1609344, 1000, {"mi", "mile", "miles"}},
    {"s", "T", 1, 1, {"s", "sec", "secs", "second", "seconds"}},
    {"min", "T", 60, 1, {"min", "mins", "minute", "minutes"}},
    {"h", "T", 3600, 1, {"h", "hr", "hrs", "hour", "hours"}},
    {"day", "T", 86400, 1, {"day", "days"}},
    {"week", "T", 604800, 1, {"week", "weeks", "wk", "wks"}},
    {"month", "", 1, 1, {"month", "months"}},
    {"year", "", 1, 1, {"year", "years", "yr", "yrs"}},
    {"g", "M", 1, 1, {"g", "gram", "grams", "gm"}},
    {"mg", "M", 1, 1000, {"mg", "milligram", "milligrams"}},
    {"kg", "M", 1000, 1, {"kg", "kilogram", "kilograms", "kgs", "kilo", "kilos"}},
    {"ton", "", 1, 1, {"ton", "tons", "tonne", "tonnes"}},
    {"lb", "P", 16, 1, {"lb", "lbs", "pound", "pounds"}},
    {"oz", "P", 1, 1, {"oz", "ounce", "ounces"}},
    {"L", "V", 1, 1, {"L", "l", "liter", "liters", "litre", "litres"}},
    {"mL", "V", 1, 1000, {"mL", "ml", "milliliter", "milliliters", "millilitre", "millilitres"}},
    {"gal", "", 1, 1, {"gal", "gallon", "gallons"}},
    {"qt", "", 1, 1, {"qt", "quart", "quarts"}},
    {"$", "$", 100, 1, {"$", "dollar", "dollars", "usd"}},
    {"cent", "$", 1, 1, {"cent", "cents"}},
    {"pound sterling", "", 1, 1, {"pound", "gbp"}},
    {"euro", "", 1, 1, {"euro", "euros", "eur"}},
    {"yen", "", 1, 1, {"yen", "jpy"}},
    {"rupee", "", 1, 1, {"rupee", "rupees"}},
    {"unit", "", 1, 1, {"unit", "units"}},
    {"deg", "", 1, 1, {"deg", "degree", "degrees"}},
    {"rad", "", 1, 1, {"rad", "radian", "radians"}},
    {"degC", "", 1, 1, {"degC", "celsius"}},
    {"degF", "", 1, 1, {"degF", "fahrenheit"}},
    {"N", "", 1, 1, {"N", "newton", "newtons"}},
    {"J", "", 1, 1, {"J", "joule", "joules"}},
    {"W", "", 1, 1, {"W", "watt", "watts"}},
    {"V", "", 1, 1, {"V", "volt", "volts"}},
    {"Hz", "", 1, 1, {"Hz", "hertz"}},
    {"Pa", "", 1, 1, {"Pa", "pascal", "pascals"}},
    {"mol", "", 1, 1, {"mol", "mole", "moles"}},
    {"mph", "", 1, 1, {"mph"}},
    {"kph", "", 1, 1, {"kph", "kmh", "kmph"}},
};

const Row* find_unit(std::string_view spelling) {
  const auto has = [](const Row& row, std::string_view text) {
    return std::find(row.spellings.begin(), row.spellings.end(), text) != row.spellings.end();
  };
  for (const Row& row : kUnits)
    if (!spelling.empty() && has(row, spelling)) return &row;
  if (spelling.size() < 3) return nullptr;  // short ones keep their case: m and M differ
  const std::string small = lower(spelling);
  for (const Row& row : kUnits)
    if (has(row, small)) return &row;
  return nullptr;
}

std::vector<std::string> words_of(std::string_view text, Work& work) {
  std::vector<std::string> words;
  std::size_t at = 0;
  while (at < text.size()) {
    work.spend(1);
    const char c = text[at];
    if (is_space(c) || c == '.' || c == '{' || c == '}' || c == '\\') {
      ++at;
      continue;
    }
    const std::size_t begin = at;
    if (is_letter(c) || static_cast<unsigned char>(c) >= 0x80)
      while (at < text.size() &&
             (is_letter(text[at]) || static_cast<unsigned char>(text[at]) >= 0x80))
        ++at;
    else if (is_digit(c))
      while (at < text.size() && is_digit(text[at])) ++at;
    else
      ++at;
    words.emplace_back(text.substr(begin, at - begin));
  }
  return words;
}

class UnitReader {
 public:
  UnitReader(std::vector<std::string> words, Work& work) : words_(std::move(words)), work_(work) {}

  // How many words a unit takes; the powers of its parts are in `powers`.
  std::size_t read() {
    int sign = 1;
    std::size_t good = 0;
    while (at_ < words_.size()) {
      if (at_ > 0 && (words_[at_] == "/" || words_[at_] == "per")) {
        sign = -1;
        ++at_;
      } else if (at_ > 0 && (words_[at_] == "*" || words_[at_] == "-")) {
        ++at_;
      }
      if (!factor(sign)) break;
      good = at_;
    }
    return good;
  }

  std::map<std::string, int> powers;
  Rational factor_size = 1;
  std::map<std::string, int> dimensions;
  bool convertible = true;

 private:
  bool factor(int sign) {
    int power = 1;
    std::size_t at = at_;
    const auto word = [&]() { return at < words_.size() ? std::string_view(words_[at]) : ""; };
    if (word() == "square" || word() == "sq") {
      power = 2;
      ++at;
    } else if (word() == "cubic" || word() == "cu") {
      power = 3;
      ++at;
    }
    const Row* row = find_unit(word());
    if (row == nullptr) return false;
    ++at;
    if (word() == "^" && at + 1 < words_.size()) {
      int direction = 1;
      ++at;
      if (word() == "-") {
        direction = -1;
        ++at;
      }
      if (word().size() != 1 || !is_digit(word()[0])) return false;
      power = direction * (word()[0] - '0');
      ++at;
    } else if (word() == "squared" || word() == "cubed") {
      power = word() == "squared" ? 2 : 3;
      ++at;
    }
    at_ = at;
    power *= sign;
    powers[std::string(row->name)] += power;
    convertible &= !row->dimension.empty();
    dimensions[std::string(row->dimension)] += power;
    factor_size *= *verify::power(Rational(row->top, row->bottom), power, work_);
    return true;
  }

  std::vector<std::string> words_;
  Work& work_;
  std::size_t at_ = 0;
};

std::string joined(const std::map<std::string, int>& powers) {
  std::string out;
  for (const auto& [name, power] : powers) {
    if (power == 0) continue;
    if (!out.empty()) out += ' ';
    out += name;
    if (power != 1) (out += '^') += std::to_string(power);
  }
  return out;
}

}  // namespace

bool is_unit_name(std::string_view name) {
  return name.size() >= 2 &&
         (find_unit(name) != nullptr || name == "sq" || name == "square" || name == "cubic");
}

bool is_unit_letter(std::string_view name) {
  return name.size() == 1 && find_unit(name) != nullptr && name != "$";
}

std::optional<UnitText> read_unit(std::string_view text, Work& work) {
  const std::vector<std::string> words = words_of(text, work);
  UnitText found;
  if (words.empty()) return found;
  UnitReader reader(words, work);
  const std::size_t taken = reader.read();
  if (taken > 0) {
    found.unit = {joined(reader.powers), reader.convertible ? joined(reader.dimensions) : "",
                  reader.factor_size};
    if (found.unit.name == "mi h^-1") found.unit.name = "mph";
    if (found.unit.name == "h^-1 km") found.unit.name = "kph";
    if (found.unit.name == "h^-1 mi") found.unit.name = "mph";
  }
  for (std::size_t i = taken; i < words.size(); ++i) {
    const std::string word = lower(words[i]);
    if (is_digit(word[0]) || word == "or" || word == "and" || word == "not" || word == "except" ||
        word == "=" || word == "<" || word == ">" || word == "plus" || word == "minus" ||
        word == "times" || word == "hundred" || word == "thousand" || word == "million" ||
        word == "billion" || word == "dozen" || word == "half" || word == "negative")
      return std::nullopt;
    found.annotated = true;
  }
  return found;
}

}  // namespace allot::verify
