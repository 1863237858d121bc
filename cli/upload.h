#pragma once
// What a sweep reads, handed to its coordinator before the sweep is: files that it has not, by hash, so that
// workers without a common file system can fetch them. A cut upload goes on where it was, in this call when the
// coordinator comes back, else in the next. Not the submission.
// One thread.

#include <cstdint>
#include <set>
#include <string>

#include "cli/command.h"
#include "cli/patient_client.h"
#include "cli/transfer_told.h"
#include "common/sweep/sweep_spec.h"

namespace ranktide::cli {

inline constexpr int64_t kUploadFileBytesMax = int64_t{256} << 20;  // default of --upload-max

// Sends the files of inputs.contents that are on this machine, that the coordinator lacks and that have at most
// file_bytes_max bytes; larger ones are named with what to do, and so are those `elsewhere` that it lacks;
// weights of the hub are for workers to have. Throws: CommandError when nobody answers, or the coordinator's
// words when it does not take one.
void upload_inputs(PatientClient& client, const Inputs& inputs, const std::set<std::string>& elsewhere,
                   int64_t file_bytes_max, const TransferTold& told);

}  // namespace ranktide::cli
