#include "allot/report/completions.h"

#include <nlohmann/json.hpp>

#include "allot/store/run_reader.h"

namespace allot {
namespace {

using Json = nlohmann::ordered_json;

Json number_or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

// A list as it was stored.
Json list_or_null(const std::string& text) {
  const Json list = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return list.is_array() ? list : Json();
}

Json object_or_null(const std::string& text) {
  const Json object = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return object.is_object() ? object : Json();
}

std::string line_of(const Json& object) {
  return object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json object_of(const std::string& run, const CompletionRow& row) {
  return {{"run", run},
          {"step", row.step},
          {"prompt_key", row.prompt_key},
          {"round", row.round},
          {"prompt", row.prompt},
          {"completion", row.completion},
          {"reference", row.reference},
          {"answer", row.answer},
          {"verdict", row.verdict},
          {"reason", row.reason},
          {"reward", number_or_null(row.reward)},
          {"rewards", object_or_null(row.rewards)},
          {"correct", row.correct},
          {"advantage", number_or_null(row.advantage)},
          {"kept", row.kept},
          {"trained", row.trained},
          {"status", row.status},
          {"tokens", row.tokens},
          {"prompt_ids", list_or_null(row.prompt_ids)},
          {"completion_ids", list_or_null(row.completion_ids)}};
}

}  // namespace

std::string completions_jsonl(std::span<const RunFolderPath> runs) {
  std::string text = line_of({{"format", "allot.completions"}, {"version", 2}});
  for (const RunFolderPath& run : runs)
    RunReader(run).each_completion([&](const CompletionRow& row) {
      text += line_of(object_of(run.filename().string(), row));
    });
  return text;
}

}  // namespace allot
