#include "allot/store/prompt_history.h"

#include <unordered_map>

#include "allot/core/error.h"
#include "allot/store/migrations.h"
#include "allot/store/sqlite.h"

namespace allot {
namespace {

namespace fs = std::filesystem;

ZeroCause cause_named(const std::string& text, const fs::path& path) {
  for (int i = 0; i <= static_cast<int>(ZeroCause::GenerationFailed); ++i)
    if (text == name(static_cast<ZeroCause>(i))) return static_cast<ZeroCause>(i);
  throw Error(ErrorKind::Model, path.string(), concat("'", text, "' is no zero-signal cause"),
              "the database is damaged, or of another version of allot");
}

std::uint32_t small(const SqliteStatement& row, int column) {
  return static_cast<std::uint32_t>(row.integer(column));
}

}  // namespace

PromptHistory read_prompt_history(const RunFolderPath& run) {
  const fs::path path = run / "run.sqlite";
  const SqliteConnection connection = open_current_for_reading(path);
  PromptHistory history;
  std::unordered_map<PromptId, std::uint32_t> places;
  SqliteStatement prompts = connection.prepare(
      "SELECT id, key, substr(text, 1, ?) FROM prompt_names LEFT JOIN "
      "prompt_texts ON prompt = id ORDER BY id");
  prompts.start(kPromptTextLimit);
  while (prompts.next()) {
    places.emplace(prompts.count(0), static_cast<std::uint32_t>(history.prompts.size()));
    history.prompts.push_back({prompts.count(0), prompts.text(1), prompts.text(2)});
  }
  SqliteStatement groups = connection.prepare(
      "SELECT step, prompt, generated, correct, trials, successes, shipped, tokens, cause "
      "FROM groups ORDER BY step, position");
  while (groups.next()) {
    const auto place = places.find(groups.count(1));
    if (place == places.end()) continue;  // written between the two statements
    PromptVisit visit;
    visit.step = groups.count(0);
    visit.prompt = place->second;
    visit.generated = small(groups, 2);
    visit.correct = small(groups, 3);
    visit.verdicts = small(groups, 4);
    visit.right = small(groups, 5);
    visit.trained = small(groups, 6);
    visit.tokens = groups.count(7);
    visit.cause = cause_named(groups.text(8), path);
    history.visits.push_back(visit);
  }
  return history;
}

}  // namespace allot
