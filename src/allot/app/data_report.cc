#include "allot/app/data_report.h"

#include <algorithm>
#include <sstream>

#include <nlohmann/json.hpp>

#include "allot/core/error.h"
#include "allot/core/joined.h"
#include "allot/tasks/leakage.h"
#include "allot/tasks/prompt_set.h"
#include "allot/text/load_tokenizer.h"

namespace allot {
namespace {

using Json = nlohmann::ordered_json;

PromptLengths measure(const std::vector<Prompt>& prompts, const Tokenizer& tokenizer, int limit) {
  PromptLengths lengths;
  std::vector<std::size_t> all;
  for (const Prompt& prompt : prompts) {
    all.push_back(tokenizer.encode(prompt.text).size());
    lengths.overlong += limit > 0 && all.back() > static_cast<std::size_t>(limit);
    if (all.back() <= lengths.longest) continue;
    lengths.longest = all.back();
    lengths.longest_key = prompt.key;
  }
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
  std::nth_element(all.begin(), middle, all.end());
  lengths.median = *middle;
  return lengths;
}

Leakage leakage_of(const std::vector<Prompt>& prompts, const DataCheck& check) {
  const DataRows held_out = read_data_set(check.against, check.columns);
  Leakage leakage{check.against, held_out.prompts.size(), {}};
  for (const std::size_t place : leaked(prompts, held_out.prompts))
    leakage.keys.push_back(held_out.prompts[place].key);
  return leakage;
}

std::string hex(std::uint64_t hash) {
  std::ostringstream out;
  out << std::hex << hash;
  return out.str();
}

std::string first_of(std::vector<std::string> names, std::size_t most) {
  if (names.size() <= most) return joined(names);
  names.resize(most);
  return joined(names) + ", ..";
}

Json json_of(const RowCases& tally) {
  return {{"count", tally.count}, {"first", tally.count > 0 ? Json(tally.first) : Json()}};
}

}  // namespace

std::string DataReport::text() const {
  std::string out = concat(rows.name, ": ", rows.prompts.size(), " prompts from ", rows.rows,
                           " rows of ", name(rows.format), "\n  read as ", rows.columns.style, ": ",
                           rows.columns.text(), "\n");
  if (!rows.ignored.empty()) out += concat("  ignored columns: ", first_of(rows.ignored, 20), "\n");
  out += concat("  answers are ", rows.worked ? "read from worked solutions and " : "", "compared ",
                by_math ? "by the math verifier" : "as text",
                by_math ? "" : ", but for rows that name a verifier", "\n");
  const auto line = [&](const char* what, const RowCases& tally) {
    out += concat("  ", what, ": ", tally.count);
    out += tally.count > 0 ? concat(" (first: ", tally.first, ")\n") : "\n";
  };
  line("rows that repeat an earlier one", rows.repeated);
  line("rows with an empty answer, dropped", rows.empty);
  line("questions with different answers", rows.conflicting);
  if (by_math || rows.bad_gold.count > 0)
    line("answers that the verifier cannot use", rows.bad_gold);
  if (lengths) {
    out += concat("  tokens of a prompt: median ", lengths->median, ", longest ", lengths->longest,
                  " (", lengths->longest_key, ")\n");
    if (max_prompt_tokens > 0)
      out += concat("  prompts of more than ", max_prompt_tokens, " tokens: ", lengths->overlong,
                    "\n");
  }
  if (leakage)
    out += concat("  of the ", leakage->held_out, " questions of ", leakage->file, ", ",
                  leakage->keys.size(), " are in it",
                  leakage->keys.empty() ? "" : concat(": ", first_of(leakage->keys, 10)), "\n");
  return out + concat("  hash of keys and answers: ", hex(hash), "\n");
}

std::string DataReport::json() const {
  Json out;
  out["file"] = rows.name;
  out["format"] = name(rows.format);
  out["style"] = rows.columns.style;
  out["columns"] = Json::object();
  for (const auto& [meaning, column] : rows.columns.mapped()) out["columns"][meaning] = column;
  out["ignored"] = rows.ignored;
  out["rows"] = rows.rows;
  out["prompts"] = rows.prompts.size();
  out["verifier"] = by_math ? "math" : "exact";
  out["repeated"] = json_of(rows.repeated);
  out["empty"] = json_of(rows.empty);
  out["conflicting"] = json_of(rows.conflicting);
  out["bad_gold"] = json_of(rows.bad_gold);
  if (lengths)
    out["prompt_tokens"] = {{"median", lengths->median},
                            {"longest", lengths->longest},
                            {"limit", max_prompt_tokens},
                            {"overlong", lengths->overlong}};
  if (leakage)
    out["against"] = {{"file", leakage->file},
                      {"prompts", leakage->held_out},
                      {"overlap", leakage->keys.size()},
                      {"keys", leakage->keys}};
  out["hash"] = hex(hash);
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

DataReport check_data_set(const DataCheck& check) {
  DataReport report;
  report.rows = read_data_set(check.file, check.columns);
  report.by_math = judged_by_math(report.rows, check.jsonl);
  check_golds(report.rows, check.jsonl);
  report.hash = PromptSet(report.rows.prompts, 0).hash();
  if (check.max_prompt_tokens > 0 && check.tokenizer.empty())
    throw Error(ErrorKind::Config, "data check",
                concat("--max_prompt_tokens ", check.max_prompt_tokens,
                       " counts tokens, and --tokenizer is not given; a model's folder is needed"));
  report.max_prompt_tokens = check.max_prompt_tokens;
  if (!check.tokenizer.empty())
    report.lengths =
        measure(report.rows.prompts, *load_tokenizer(check.tokenizer), check.max_prompt_tokens);
  if (!check.against.empty()) report.leakage = leakage_of(report.rows.prompts, check);
  return report;
}

}  // namespace allot
