#pragma once
// Model and tokenizer folders as the sweeps of this data folder named them, by their content: what a client
// plans with that has none of it (cli/model_elsewhere.h). Not the files (blob_routes.h), and not whether any
// worker still has them. Reads only.

#include <string>
#include <vector>

#include "common/vocabulary/wire.h"
#include "common/vocabulary/work.h"
#include "coordinator/edge/reader.h"

namespace ranktide {

struct KnownModel {
  std::string root;  // as the sweep's settings have it: a path on whatever machine it was, or a `hub:` name
  std::vector<InputFile> files;  // that lie in it, by name; not those of folders inside it
};
template <class Ar>
void fields(Ar& ar, KnownModel& m) {
  ar("root", m.root)("files", m.files);
}

inline constexpr size_t kKnownModelsMax = 16;

// Returns: the folders whose base or whose tokenizer has this hash, each content at a root once, that of the
// newest submission first; at most kKnownModelsMax. Throws: StoreError, as Reader::each.
std::vector<KnownModel> known_models(const Reader& reader, const std::string& sha256);

}  // namespace ranktide
