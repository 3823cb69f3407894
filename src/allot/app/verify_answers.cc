#include "allot/app/verify_answers.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "allot/core/error.h"
#include "allot/tasks/scored_verifier.h"

namespace allot {
namespace {

using nlohmann::json;

constexpr const char* kExampleLine = R"(a line reads {"gold": "0.5", "pred": "\\frac12"})";

[[noreturn]] void fail(std::string_view where, std::size_t line, std::string_view what) {
  throw Error(ErrorKind::Data, concat(where, ":", line), what, kExampleLine);
}

bool is_answer(const json& value) { return value.is_string() || value.is_number(); }

std::string text_of(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string verified_line(std::string_view text, std::string_view where, std::size_t number,
                          const VerifyOptions& options) {
  const json object = json::parse(text.begin(), text.end(), nullptr, false);
  if (!object.is_object()) fail(where, number, "it is not a JSON object");
  if (!object.contains("gold")) fail(where, number, "the key 'gold' is missing");
  if (!object.contains("pred")) fail(where, number, "the key 'pred' is missing");
  const json &gold = object["gold"], &pred = object["pred"];
  std::vector<std::string> golds;
  if (gold.is_array()) {
    for (const json& one : gold) {
      if (!is_answer(one)) fail(where, number, "'gold' has an element that is no text or number");
      golds.push_back(text_of(one));
    }
  } else if (is_answer(gold)) {
    golds.push_back(text_of(gold));
  } else {
    fail(where, number, "'gold' is no text, number or list");
  }
  if (!is_answer(pred)) fail(where, number, "'pred' is no text or number");
  std::string kind = "response";
  if (object.contains("kind")) {
    if (!object["kind"].is_string()) fail(where, number, "'kind' is no text");
    kind = object["kind"].get<std::string>();
  }
  if (kind != "response" && kind != "answer")
    fail(where, number, concat("'kind' is '", kind, "'; response or answer is needed"));
  return verify_pair(golds, text_of(pred), kind, options).json();
}

std::vector<std::string> flag_names(std::uint32_t flags) {
  std::vector<std::string> out;
  for (int bit = 0; bit < verify::kFlagCount; ++bit)
    if ((flags >> bit & 1U) != 0) out.emplace_back(verify::flag_name(bit));
  return out;
}

}  // namespace

std::string VerifiedAnswer::json() const {
  const bool decided = verdict.status == verify::VerdictStatus::Correct ||
                       verdict.status == verify::VerdictStatus::Wrong;
  nlohmann::ordered_json out;
  out["correct"] = verdict.correct();
  out["status"] = verify::name(verdict.status);
  out["tier"] = decided ? nlohmann::ordered_json(verify::name(verdict.tier)) : nullptr;
  out["answer"] = verdict.extracted;
  out["flags"] = flag_names(verdict.flags);
  if (!problem.empty()) out["problem"] = problem;
  return out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string VerifiedAnswer::text() const {
  std::string out(verify::name(verdict.status));
  if (verdict.status == verify::VerdictStatus::Correct ||
      verdict.status == verify::VerdictStatus::Wrong)
    out += concat(" (", verify::name(verdict.tier), ")");
  for (const std::string& flag : flag_names(verdict.flags)) out += concat(", ", flag);
  if (!problem.empty()) out += concat(": ", problem);
  if (!verdict.extracted.empty()) out += concat(": ", verdict.extracted);
  return out;
}

VerifiedAnswer verify_pair(const std::vector<std::string>& golds, std::string_view pred,
                           std::string_view kind, const VerifyOptions& options) {
  const std::vector<std::string_view> views(golds.begin(), golds.end());
  const verify::Gold gold = verify::prepare(views, options.verifier);
  VerifiedAnswer out;
  out.problem = gold.problem();
  out.verdict = kind == "answer" ? verify::equivalent(gold, pred, options.verifier)
                                 : verify::verify(gold, pred, options.verifier);
  return out;
}

std::vector<std::string> verify_lines(std::string_view text, std::string_view where,
                                      const VerifyOptions& options) {
  std::vector<std::string> out;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (!trimmed(line).empty()) out.push_back(verified_line(line, where, number, options));
  }
  return out;
}

}  // namespace allot
