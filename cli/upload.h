#pragma once
// What a sweep reads, handed to its coordinator before the sweep is: files that it has not, by hash, so that
// workers without a common file system can fetch them. A cut upload goes on where it was. Not the submission.
// One thread.

#include <cstdint>
#include <functional>
#include <string>

#include "cli/command.h"
#include "cli/http_client.h"
#include "common/sweep/sweep_spec.h"

namespace ranktide::cli {

inline constexpr int64_t kUploadFileBytesMax = int64_t{256} << 20;  // default of --upload-max

struct UploadTold {
  std::function<void(const std::string& line)> say;
  std::function<void(const std::string& path, int64_t here, int64_t total)> moved;  // bytes; also at the end
};

// Returns: how an upload is told on standard error: redrawn in place on a terminal, else one line a file.
UploadTold told_on_terminal(const GlobalOptions& globals);

// Sends the files of inputs.contents that are on this machine, that the coordinator lacks and that have at most
// file_bytes_max bytes; larger ones are named with what to do, models of the hub are for workers to have.
// Throws: CommandError when nobody answers, or the coordinator's words when it does not take one.
void upload_inputs(const HttpClient& client, const Inputs& inputs, int64_t file_bytes_max,
                   const UploadTold& told);

}  // namespace ranktide::cli
