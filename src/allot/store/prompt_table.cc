#include "allot/store/prompt_table.h"

#include <utility>

namespace allot {

std::string ids_text(std::span<const std::int32_t> ids) {
  std::string text = "[";
  for (const std::int32_t id : ids) {
    if (text.size() > 1) text += ',';
    text += std::to_string(id);
  }
  return text + "]";
}

PromptTable::PromptTable(const SqliteConnection& connection)
    : connection_(&connection),
      add_name_(connection.prepare("INSERT OR IGNORE INTO prompt_names VALUES (?, ?)")),
      add_text_(connection.prepare("INSERT INTO prompt_texts VALUES (?, ?, ?, ?, ?)")) {
  load();
}

void PromptTable::load() {
  known_.clear();
  SqliteStatement rows = connection_->prepare("SELECT prompt FROM prompt_texts");
  while (rows.next()) known_[rows.count(0)].is_stored = true;
}

void PromptTable::cut_back(std::uint64_t first_step) {
  connection_->prepare("DELETE FROM prompt_texts WHERE step >= ?").run(first_step);
  load();
}

void PromptTable::add_names(const PromptSource& prompts, std::span<const PromptId> ids,
                            Encode encode) {
  encode_ = std::move(encode);
  all_named_ = true;
  for (const PromptId id : ids) add_name_.run(id, prompts.get(id).key);
}

PromptTable::Known& PromptTable::encoded(const Prompt& prompt) {
  Known& known = known_[prompt.id];
  if (known.tokens || !encode_) return known;
  const std::vector<std::int32_t> ids = encode_(prompt.text);
  known.tokens = ids.size();
  if (!known.is_stored) known.ids = ids_text(ids);
  return known;
}

std::optional<std::size_t> PromptTable::tokens(const Prompt& prompt) {
  return encoded(prompt).tokens;
}

void PromptTable::plan(std::uint64_t step, const Prompt& prompt) {
  Known& known = encoded(prompt);
  if (known.is_stored) return;
  if (!all_named_) add_name_.run(prompt.id, prompt.key);
  std::optional<std::string> ids;
  if (encode_) ids = std::exchange(known.ids, {});
  add_text_.run(step, prompt.id, prompt.text, prompt.answer, ids);
  known.is_stored = true;
}

}  // namespace allot
