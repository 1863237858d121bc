#pragma once
// What a submission is looked at for before the turn decides, which takes long where its cells are many, and
// what it says of the trials that it starts from, which the journal knows better. The same for whoever hands
// one in. Reads files; any thread.

#include <filesystem>
#include <optional>
#include <string>

#include "coordinator/core/coordinator.h"

namespace ranktide {

// Fills in `submission.looked`, unless this request was decided before. Returns: why it is refused, for people;
// nullopt to let the core decide. Throws: StoreError when the journal cannot be read.
std::optional<std::string> look_ahead(Submit& submission, const std::filesystem::path& data_folder);

}  // namespace ranktide
