// The prompts of a run.sqlite: the names of all, and the text of those that were planned, with its
// length in tokens.
//
// What a step adds is appended in the order of planning, never kept by prompt (schema.h says why);
// which prompts have their text stored is known in memory. Errors: Error(Model). Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>

#include "allot/loop/prompt_source.h"
#include "allot/store/encode.h"
#include "allot/store/sqlite.h"

namespace allot {

// "[3,17]", as SQLite's json_each() reads it.
std::string ids_text(std::span<const std::int32_t> ids);

class PromptTable {
 public:
  explicit PromptTable(const SqliteConnection& connection);  // which must outlive it

  // Forgets texts that were stored in steps >= first_step. In a transaction of the caller's, as are
  // the others that write.
  void cut_back(std::uint64_t first_step);

  // Names all prompts of the data set, so that those never planned are known too. `encode` gives
  // the token ids that are stored with a text (none: NULL).
  void add_names(const PromptSource& prompts, std::span<const PromptId> ids, Encode encode);

  // Tokens of the prompt's text; nothing without an encoder.
  std::optional<std::size_t> tokens(const Prompt& prompt);

  // Stores the text if the prompt was not planned before.
  void plan(std::uint64_t step, const Prompt& prompt);

 private:
  struct Known {
    std::optional<std::size_t> tokens;
    std::string ids;  // of the text, until they are stored
    bool is_stored = false;
  };
  Known& encoded(const Prompt& prompt);
  void load();

  const SqliteConnection* connection_;
  SqliteStatement add_name_, add_text_;
  Encode encode_;
  bool all_named_ = false;
  std::unordered_map<PromptId, Known> known_;  // prompts planned or asked for
};

}  // namespace allot
