#include "allot/app/tokenize_lines.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "allot/core/error.h"
#include "allot/tasks/scored_verifier.h"
#include "allot/text/load_tokenizer.h"

namespace allot {
namespace {

using nlohmann::json;

std::string tokenized_line(std::string_view text, std::string_view where, std::size_t number,
                           const Tokenizer& tokenizer) {
  const auto fail = [&](std::string_view what) {
    throw Error(ErrorKind::Data, concat(where, ":", number), what,
                R"(a line reads {"text": "2 + 2", "parse_special": true})");
  };
  const json row = json::parse(text.begin(), text.end(), nullptr, false);
  if (!row.is_object()) fail("it is not a JSON object");
  if (!row.contains("text")) fail("the key 'text' is missing");
  if (!row["text"].is_string()) fail("the value of 'text' is no text");
  const json special = row.value("parse_special", json(true));
  if (!special.is_boolean()) fail("'parse_special' is neither true nor false");
  const std::string given = row["text"];
  const json ids =
      special.get<bool>() ? tokenizer.encode(given) : tokenizer.encode_beside_special(given);
  return json{{"ids", ids}}.dump();
}

}  // namespace

std::vector<std::string> tokenize_lines(std::string_view text, std::string_view where,
                                        const std::string& tokenizer) {
  const auto loaded = load_tokenizer(tokenizer);
  std::vector<std::string> out;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (!trimmed(line).empty()) out.push_back(tokenized_line(line, where, number, *loaded));
  }
  return out;
}

}  // namespace allot
