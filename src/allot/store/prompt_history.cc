#include "allot/store/prompt_history.h"

#include <unordered_map>

#include "allot/core/error.h"
#include "allot/store/database.h"
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

// Where a step's visit of a prompt stands. Visits of a step stand together and are few, steps come
// in ascending order in both tables.
class VisitIndex {
 public:
  explicit VisitIndex(std::vector<PromptVisit>& visits) : visits_(visits) {}

  // nullptr: the step has no such visit.
  PromptVisit* find(std::uint64_t step, std::uint32_t prompt) {
    if (!open_ || step != step_) enter(step);
    const auto found = of_step_.find(prompt);
    return found == of_step_.end() ? nullptr : &visits_[found->second];
  }

 private:
  void enter(std::uint64_t step) {
    if (open_ && step < step_) next_ = 0;  // not in order after all
    open_ = true;
    step_ = step;
    of_step_.clear();
    while (next_ < visits_.size() && visits_[next_].step < step) ++next_;
    for (; next_ < visits_.size() && visits_[next_].step == step; ++next_)
      of_step_.emplace(visits_[next_].prompt, next_);
  }

  std::vector<PromptVisit>& visits_;
  std::unordered_map<std::uint32_t, std::size_t> of_step_;
  std::size_t next_ = 0;
  std::uint64_t step_ = 0;
  bool open_ = false;
};

}  // namespace

PromptHistory read_prompt_history(const RunFolderPath& run) {
  const fs::path path = run / "run.sqlite";
  const SqliteConnection connection = SqliteConnection::open_for_reading(path);
  check_schema_version(connection, path);
  PromptHistory history;
  std::unordered_map<PromptId, std::uint32_t> places;

  SqliteStatement prompts = connection.prepare(
      "SELECT id, key, substr(text, 1, ?) FROM prompts WHERE id IN (SELECT prompt FROM groups) "
      "ORDER BY id");
  prompts.start(kPromptTextLimit);
  while (prompts.next()) {
    places.emplace(prompts.count(0), static_cast<std::uint32_t>(history.prompts.size()));
    history.prompts.push_back({prompts.count(0), prompts.text(1), prompts.text(2)});
  }

  SqliteStatement groups = connection.prepare(
      "SELECT step, prompt, generated, correct, tokens, shipped, cause FROM groups "
      "ORDER BY step, position");
  while (groups.next()) {
    const auto place = places.find(groups.count(1));
    if (place == places.end()) continue;  // written between the two statements
    PromptVisit visit;
    visit.step = groups.count(0);
    visit.prompt = place->second;
    visit.generated = small(groups, 2);
    visit.correct = small(groups, 3);
    visit.tokens = groups.count(4);
    visit.trained = small(groups, 5);
    visit.cause = cause_named(groups.text(6), path);
    history.visits.push_back(visit);
  }

  VisitIndex index(history.visits);
  SqliteStatement rollouts = connection.prepare(
      "SELECT step, prompt, correct FROM rollouts WHERE round = 0 AND scoring = 'scored' "
      "ORDER BY id");
  while (rollouts.next()) {
    const auto place = places.find(rollouts.count(1));
    if (place == places.end()) continue;
    if (PromptVisit* visit = index.find(rollouts.count(0), place->second)) {
      ++visit->verdicts;
      visit->right += rollouts.integer(2) != 0 ? 1 : 0;
    }
  }
  return history;
}

}  // namespace allot
