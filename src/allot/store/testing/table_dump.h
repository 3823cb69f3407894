// The rows of a run.sqlite as text, for comparing two of them.
#pragma once

#include <filesystem>
#include <string>

#include "allot/core/error.h"
#include "allot/store/sqlite.h"

namespace allot::testing {

// "value|NULL|...\n" per row, ordered by the first two columns.
inline std::string table_dump(const SqliteConnection& connection, const std::string& table) {
  SqliteStatement rows = connection.prepare("SELECT * FROM " + table + " ORDER BY 1, 2");
  const std::int64_t columns =
      connection.integer("SELECT count(*) FROM pragma_table_info('" + table + "')");
  std::string text;
  while (rows.next()) {
    for (int c = 0; c < columns; ++c) text += rows.is_null(c) ? "NULL|" : rows.text(c) + "|";
    text += "\n";
  }
  return text;
}

inline std::string table_dump(const std::filesystem::path& run, const std::string& table) {
  return table_dump(SqliteConnection::open_for_reading(run / "run.sqlite"), table);
}

inline constexpr const char* kTables[] = {"run",          "steps",        "metrics",
                                          "prompt_names", "prompt_texts", "groups",
                                          "rollouts",     "decisions",    "evaluations"};

}  // namespace allot::testing
