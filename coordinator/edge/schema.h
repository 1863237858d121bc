#pragma once
// The tables of ranktide.db and how a file is made or refused. Private: they change with kSchemaVersion; what
// people read are the views (views.h). Column names are the journal's field names where they mean the same.

#include "coordinator/edge/store_sql.h"

namespace ranktide {

inline constexpr int64_t kApplicationId = 0x72746964;  // "rtid" in the file's header; permanent
inline constexpr int64_t kSchemaVersion = 8;           // PRAGMA user_version; up by one per migration

// Sets what the writer relies on (WAL, synchronous=FULL, ...) and reads each one back.
// Throws: StoreError naming the setting that did not take.
void apply_writer_settings(Connection& connection);

// Returns: whether nobody has made anything in the file yet; a writer killed while creating it leaves it so.
bool is_empty_database(Connection& connection);

// Makes tables, views and the t table. Requires: an empty database.
void create_schema(Connection& connection);

// Changes a file of an older version to this one, in one transaction. Leaves every other file alone.
void bring_up_to_date(Connection& connection);

// What makes reads faster and no version of this program needs: added where it is missing.
void add_indices(Connection& connection);

// Throws: StoreError for another program's file, and for another version with both numbers. Changes nothing.
void check_schema(Connection& connection);

}  // namespace ranktide
