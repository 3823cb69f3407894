#include "allot/tasks/data_row.h"

#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>

#include "allot/core/error.h"
#include "allot/core/utf8.h"

namespace allot {
namespace {

using nlohmann::json;

constexpr std::size_t kDeepest = 64;

// Builds cells from the events of the parser: numbers keep their spelling, a repeated name is seen.
class RowBuilder final : public nlohmann::json_sax<json> {
 public:
  Cell row;
  std::string problem;  // first one; reading stops there

  bool null() override { return value({}); }
  bool boolean(bool) override { return value({Cell::Kind::Truth}); }
  bool number_integer(number_integer_t number) override { return numeral(std::to_string(number)); }
  bool number_unsigned(number_unsigned_t number) override {
    return numeral(std::to_string(number));
  }
  bool number_float(number_float_t, const string_t& spelling) override { return numeral(spelling); }
  bool string(string_t& text) override { return value({Cell::Kind::Text, std::move(text)}); }
  bool binary(binary_t&) override { return value({}); }
  bool start_object(std::size_t) override { return open({Cell::Kind::Object}); }
  bool start_array(std::size_t) override { return open({Cell::Kind::List}); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (deeper_ > 0) return true;
    Cell& object = *open_.back();
    if (open_.size() == 1 && object.find(name) != nullptr)
      return stop(concat("the column '", name, "' stands twice"));
    object.fields.push_back({name, {}});
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const json::exception&) override {
    return stop(concat("it is not JSON from column ", position, " on"));
  }

 private:
  bool numeral(std::string spelling) { return value({Cell::Kind::Number, std::move(spelling)}); }
  Cell& place(Cell cell) {
    Cell& parent = *open_.back();
    if (parent.kind == Cell::Kind::Object) return parent.fields.back().cell = std::move(cell);
    return parent.elements.emplace_back(std::move(cell));
  }
  bool value(Cell cell) {
    if (deeper_ > 0) return true;
    if (open_.empty()) return stop(concat("it is ", kind_name(cell.kind), ", not an object"));
    place(std::move(cell));
    return true;
  }
  bool open(Cell cell) {
    if (open_.empty()) {
      if (cell.kind != Cell::Kind::Object) return stop("it is a list, not an object");
      row = std::move(cell);
      open_.push_back(&row);
      return true;
    }
    if (open_.size() == kDeepest || deeper_ > 0) {
      ++deeper_;
      return true;
    }
    open_.push_back(&place(std::move(cell)));
    return true;
  }
  bool close() {
    if (deeper_ > 0)
      --deeper_;
    else
      open_.pop_back();
    return true;
  }
  bool stop(std::string what) {
    if (problem.empty()) problem = std::move(what);
    return false;
  }

  // From the row to where the parser is. Only the last one grows, so these stay where they are.
  std::vector<Cell*> open_;
  std::size_t deeper_ = 0;  // lists and objects below kDeepest, which are passed over
};

}  // namespace

const Cell* Cell::find(std::string_view field) const {
  const auto found = std::find_if(fields.begin(), fields.end(),
                                  [&](const auto& entry) { return entry.name == field; });
  return found == fields.end() ? nullptr : &found->cell;
}

const char* kind_name(Cell::Kind kind) {
  switch (kind) {
    case Cell::Kind::Null:
      return "null";
    case Cell::Kind::Truth:
      return "true or false";
    case Cell::Kind::Number:
      return "a number";
    case Cell::Kind::Text:
      return "text";
    case Cell::Kind::List:
      return "a list";
    case Cell::Kind::Object:
      return "an object";
  }
  return "?";
}

std::optional<std::uint64_t> whole_id(const Cell& cell) {
  std::uint64_t id = 0;
  const char* end = cell.text.data() + cell.text.size();
  const auto [stop, problem] = std::from_chars(cell.text.data(), end, id);
  if (cell.kind != Cell::Kind::Number || problem != std::errc() || stop != end || id >> 63 != 0)
    return std::nullopt;
  return id;
}

ParsedRow parse_row(std::string_view text) {
  const std::size_t valid = valid_utf8_prefix(text);
  if (valid != text.size())
    return {{},
            concat("byte ", valid + 1, " of the line is not valid UTF-8; save the file as UTF-8")};
  // The JSON parser takes a zero byte for the end of its input and would pass over the rest.
  const std::size_t zero = text.find('\0');
  if (zero != std::string_view::npos)
    return {{}, concat("it is not JSON: byte ", zero + 1, " is zero")};
  RowBuilder builder;
  if (!json::sax_parse(text.begin(), text.end(), &builder)) return {{}, builder.problem};
  return {std::move(builder.row), ""};
}

}  // namespace allot
