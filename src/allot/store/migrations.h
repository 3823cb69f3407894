// How a run.sqlite gets the current schema: made anew, or brought up from an earlier version.
//
// A change of the schema is a new version: schema.h says what the tables are now, and one entry is
// added here that turns the version before into it. Entries are never edited afterwards, and hold
// their own SQL, because schema.h moves on.
#pragma once

#include <filesystem>

#include "allot/store/sqlite.h"

namespace allot {

// Oldest version that can be brought up.
inline constexpr int kOldestSchemaVersion = 1;

// Makes the tables in an empty database; brings an earlier version up, all or nothing. Throws
// Error(Model) if the database is not a run's or of a version that is unknown here.
void bring_up_to_date(SqliteConnection& connection, const std::filesystem::path& path);

// A connection for reading that shows the current schema: the file itself, or, for an earlier
// version, a copy of it in memory that was brought up. The file is not changed.
SqliteConnection open_current_for_reading(const std::filesystem::path& path);

}  // namespace allot
