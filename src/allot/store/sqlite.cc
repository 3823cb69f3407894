#include "allot/store/sqlite.h"

#include <cmath>

#include <sqlite3.h>

#include "allot/core/error.h"

namespace allot {
namespace {

namespace fs = std::filesystem;

constexpr int kBusyMilliseconds = 5000;  // a reader holds its lock for moments only

// "file:" form of a path, so that a flag can be given with it.
std::string immutable_uri(const fs::path& path) {
  std::string uri = "file:";
  constexpr char kHex[] = "0123456789ABCDEF";
  for (const unsigned char c : fs::absolute(path).string()) {
    if (c == '?' || c == '#' || c == '%' || c < 0x21) {
      uri += '%';
      uri += kHex[c >> 4];
      uri += kHex[c & 15];
    } else {
      uri += static_cast<char>(c);
    }
  }
  return uri + "?immutable=1";
}

}  // namespace

void SqliteConnection::Close::operator()(sqlite3* connection) const { sqlite3_close(connection); }

SqliteConnection::SqliteConnection(const fs::path& path, const std::string& name, int flags)
    : path_(path.string()) {
  sqlite3* connection = nullptr;
  const int status = sqlite3_open_v2(name.c_str(), &connection, flags, nullptr);
  connection_.reset(connection);
  if (status != SQLITE_OK) fail("open");
  sqlite3_busy_timeout(connection, kBusyMilliseconds);
}

void SqliteConnection::fail(std::string_view call) const {
  const int status = sqlite3_extended_errcode(connection_.get());
  const char* hint = "";
  switch (status & 0xff) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
      hint = "free disk space or choose another folder; steps written before are intact";
      break;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      hint = "check that the folder is there and may be written";
      break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      hint = "the file is damaged or was not written by allot";
      break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      hint = "another program holds the database";
      break;
    default:
      break;
  }
  throw Error(ErrorKind::Model, path_,
              concat("the database failed at '", call, "': ", sqlite3_errmsg(connection_.get())),
              hint);
}

// Without SQLite's own lock around every call: one thread per connection.
SqliteConnection SqliteConnection::open_for_writing(const fs::path& path) {
  return {path, path.string(), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX};
}

SqliteConnection SqliteConnection::open_for_reading(const fs::path& path) {
  SqliteConnection connection(path, path.string(), SQLITE_OPEN_READONLY);
  try {
    connection.integer("SELECT count(*) FROM sqlite_schema");
    return connection;
  } catch (const Error&) {
    // A read-only folder cannot hold the shared-memory file that WAL asks for. Without a log that
    // waits to be read, the main file alone is the whole database.
    fs::path log = path;
    log += "-wal";
    std::error_code ignored;
    if (fs::exists(log, ignored) && fs::file_size(log, ignored) > 0) throw;
  }
  return {path, immutable_uri(path), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI};
}

SqliteConnection SqliteConnection::copy_in_memory() const {
  SqliteConnection copy(path_, ":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  sqlite3_backup* backup =
      sqlite3_backup_init(copy.connection_.get(), "main", connection_.get(), "main");
  if (!backup) copy.fail("copy");
  sqlite3_backup_step(backup, -1);
  if (sqlite3_backup_finish(backup) != SQLITE_OK) copy.fail("copy");
  return copy;
}

void SqliteConnection::execute(const std::string& sql) {
  if (sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
    fail(std::string_view(sql).substr(0, sql.find('\n')));
}

SqliteStatement SqliteConnection::prepare(std::string_view sql) const { return {*this, sql}; }

std::int64_t SqliteConnection::integer(std::string_view sql) const {
  SqliteStatement statement = prepare(sql);
  return statement.next() ? statement.integer(0) : 0;
}

void SqliteStatement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

SqliteStatement::SqliteStatement(const SqliteConnection& connection, std::string_view sql)
    : connection_(&connection) {
  sqlite3_stmt* statement = nullptr;
  const int status = sqlite3_prepare_v2(connection.connection_.get(), sql.data(),
                                        static_cast<int>(sql.size()), &statement, nullptr);
  statement_.reset(statement);
  if (status != SQLITE_OK) connection.fail(sql);
}

void SqliteStatement::bind(int index, std::int64_t value) {
  if (sqlite3_bind_int64(statement_.get(), index, value) != SQLITE_OK) connection_->fail("bind");
}

void SqliteStatement::bind(int index, double value) {
  if (sqlite3_bind_double(statement_.get(), index, value) != SQLITE_OK) connection_->fail("bind");
}

void SqliteStatement::bind_text(int index, std::string_view value, void (*release)(void*)) {
  const char* data = value.empty() ? "" : value.data();
  if (sqlite3_bind_text64(statement_.get(), index, data, value.size(), release, SQLITE_UTF8) !=
      SQLITE_OK)
    connection_->fail("bind");
}

void SqliteStatement::bind(int index, std::string_view value) {
  bind_text(index, value, SQLITE_TRANSIENT);
}

void SqliteStatement::lend(int index, std::string_view value) {
  bind_text(index, value, SQLITE_STATIC);
}

void SqliteStatement::bind(int index, std::nullptr_t) {
  if (sqlite3_bind_null(statement_.get(), index) != SQLITE_OK) connection_->fail("bind");
}

bool SqliteStatement::next() {
  const int status = sqlite3_step(statement_.get());
  if (status == SQLITE_ROW) return true;
  if (status != SQLITE_DONE) connection_->fail(sqlite3_sql(statement_.get()));
  sqlite3_reset(statement_.get());
  return false;
}

void SqliteStatement::reset() { sqlite3_reset(statement_.get()); }

bool SqliteStatement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

std::int64_t SqliteStatement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

double SqliteStatement::real(int column) const {
  return sqlite3_column_double(statement_.get(), column);
}

std::string SqliteStatement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  return data ? std::string(
                    data, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column)))
              : std::string();
}

SqliteTransaction::SqliteTransaction(SqliteConnection& connection) : connection_(&connection) {
  connection.execute("BEGIN IMMEDIATE");
}

SqliteTransaction::~SqliteTransaction() {
  if (!connection_) return;
  try {
    connection_->execute("ROLLBACK");
  } catch (const Error&) {
    // SQLite has rolled back by itself already (full disk).
  }
}

void SqliteTransaction::commit() {
  connection_->execute("COMMIT");
  connection_ = nullptr;
}

}  // namespace allot
