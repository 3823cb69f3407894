// SQLite with owners: a connection, prepared statements, transactions that roll back by themselves.
//
// Every error is Error(Model) naming the file, the call and SQLite's own words (full disk,
// read-only folder, damaged file). Not thread-safe: one thread per connection.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

struct sqlite3;
struct sqlite3_stmt;

namespace allot {

class SqliteStatement;

class SqliteConnection {
 public:
  static SqliteConnection open_for_writing(const std::filesystem::path& path);  // made if missing
  // Works beside a writer, on what a crash left, and in a folder that cannot be written.
  static SqliteConnection open_for_reading(const std::filesystem::path& path);

  // A copy in memory of all that is committed; the file is not touched again.
  SqliteConnection copy_in_memory() const;

  void execute(const std::string& sql);  // one or more statements without parameters
  SqliteStatement prepare(std::string_view sql) const;
  std::int64_t integer(std::string_view sql) const;  // first column of the first row; 0 if none

 private:
  friend class SqliteStatement;
  struct Close {
    void operator()(sqlite3* connection) const;
  };
  SqliteConnection(const std::filesystem::path& path, const std::string& name, int flags);
  [[noreturn]] void fail(std::string_view call) const;

  std::string path_;
  std::unique_ptr<sqlite3, Close> connection_;
};

// A prepared statement; refers to its connection, which must outlive it and stay where it is.
class SqliteStatement {
 public:
  // Parameters in order, 1-based. Text is copied. nullopt binds NULL, as do NaN and nullptr.
  void bind(int index, std::int64_t value);
  void bind(int index, std::uint64_t value) { bind(index, static_cast<std::int64_t>(value)); }
  void bind(int index, std::uint32_t value) { bind(index, static_cast<std::int64_t>(value)); }
  void bind(int index, int value) { bind(index, static_cast<std::int64_t>(value)); }
  void bind(int index, bool value) { bind(index, static_cast<std::int64_t>(value)); }
  void bind(int index, double value);
  void bind(int index, std::string_view value);
  void bind(int index, const std::string& value) { bind(index, std::string_view(value)); }
  void bind(int index, const char* value) { bind(index, std::string_view(value)); }
  void bind(int index, std::nullptr_t);
  template <class T>
  void bind(int index, const std::optional<T>& value) {
    if (value)
      bind(index, *value);
    else
      bind(index, nullptr);
  }

  // Binds all parameters, runs to the end, and is ready again. Text is not copied.
  template <class... Values>
  void run(const Values&... values) {
    reset();
    int index = 0;
    (lend(++index, values), ...);
    while (next()) {
    }
  }
  // The same with the parameters of all tuples of `rows`, one after another.
  template <class Rows>
  void run_rows(const Rows& rows) {
    reset();
    int index = 0;
    for (const auto& row : rows)
      std::apply([&](const auto&... values) { (lend(++index, values), ...); }, row);
    while (next()) {
    }
  }
  // Binds all parameters; rows follow by next().
  template <class... Values>
  void start(const Values&... values) {
    reset();
    int index = 0;
    (bind(++index, values), ...);
  }
  bool next();  // false: no further row
  void reset();

  // Columns of the current row, 0-based. NULL reads as 0 and "".
  bool is_null(int column) const;
  std::int64_t integer(int column) const;
  std::uint64_t count(int column) const { return static_cast<std::uint64_t>(integer(column)); }
  double real(int column) const;
  std::string text(int column) const;

 private:
  friend class SqliteConnection;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  // As bind(), but text stays the caller's and must be there when the statement runs.
  void lend(int index, std::string_view value);
  void lend(int index, const std::string& value) { lend(index, std::string_view(value)); }
  void lend(int index, const char* value) { lend(index, std::string_view(value)); }
  template <class T>
  void lend(int index, const std::optional<T>& value) {
    if (value)
      lend(index, *value);
    else
      bind(index, nullptr);
  }
  template <class T>
  void lend(int index, const T& value) {
    bind(index, value);
  }
  void bind_text(int index, std::string_view value, void (*release)(void*));
  SqliteStatement(const SqliteConnection& connection, std::string_view sql);

  const SqliteConnection* connection_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// Rolls back when destroyed without commit().
class SqliteTransaction {
 public:
  explicit SqliteTransaction(SqliteConnection& connection);
  ~SqliteTransaction();
  SqliteTransaction(const SqliteTransaction&) = delete;
  SqliteTransaction& operator=(const SqliteTransaction&) = delete;
  void commit();

 private:
  SqliteConnection* connection_;
};

}  // namespace allot
