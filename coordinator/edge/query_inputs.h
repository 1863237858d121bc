#pragma once
// Which files sweeps may still need, by content: what a store of files must keep. Not where they lie. Reads
// only.

#include <set>
#include <string>

#include "coordinator/edge/reader.h"

namespace ranktide {

// Returns: the hashes that the newest revision of every sweep that is not over (finished, stopped, cancelled)
// names as its inputs. Throws: StoreError, as Reader::each.
std::set<std::string> contents_in_use(const Reader& reader);

}  // namespace ranktide
