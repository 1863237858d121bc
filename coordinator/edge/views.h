#pragma once
// The stable face of ranktide.db: v_* views in plain SQL, for the sqlite3 shell, pandas and every query of this
// program. Documented column by column in docs/views.md. Names and columns are permanent; columns may be added.

namespace ranktide {

// CREATE VIEW statements, in the order in which they build on each other.
extern const char* const kViews;

}  // namespace ranktide
