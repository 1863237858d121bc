#pragma once
// The language of sweep files as a JSON Schema (draft 7, which editors know best), made from the table of
// settings: what an editor completes, explains and checks while a file is written. It takes whatever the reader
// takes. The reader refuses more: what depends on other keys, on names, on files, or on quotes, none of which a
// schema sees. Pure.

#include "common/vocabulary/wire.h"

namespace ranktide {

// Returns: the schema; docs/sweep.schema.json holds exactly this, on one line, for programs read it and no one
// else.
Json sweep_json_schema();

}  // namespace ranktide
