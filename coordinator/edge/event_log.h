#pragma once
// The journal as a stream of changes for people's browsers: each record after a given one as a block of
// text/event-stream. Its id is the record's number, so that a reader that comes back with the last id it saw
// misses nothing and gets nothing twice. Reads only.
//   id: 17
//   event: LeaseGranted                     the record's kind
//   data: {"at":1767225600000,"attempt":1,"record":17,"sweeps":["math"],"trial":"3f9c...","unit":"...",...}
// Data are the record's plain fields and, for people, the trial and the sweeps that it is about. What is large
// (a sweep's spec, a trainer's last lines) stays in the store.

#include <cstdint>
#include <string>
#include <vector>

#include "coordinator/edge/reader.h"

namespace ranktide {

struct Change {
  int64_t record = 0;
  std::string text;  // a whole block, with its empty line
};

// Returns: the changes after that record, oldest first, at most `changes_max`.
std::vector<Change> changes_after(const Reader& reader, int64_t record, int changes_max);

// Returns: the number of the newest committed record; 0 for an empty journal.
int64_t newest_record(const Reader& reader);

}  // namespace ranktide
