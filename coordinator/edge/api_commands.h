#pragma once
// What HTTP lets people do: POST targets and bodies in, requests to the core out, and the core's answers back
// into statuses. The table in the .cpp is the whole list. Not who may ask (http_access.h) and not the decision
// (coordinator/core). Pure but for prepare(); any thread.
//   POST /api/v1/sweeps            {"request_id", "spec"}: a SweepSpec as sweep_spec.h lists its fields
//   POST /api/v1/sweeps/NAME/ACTION    {"request_id", ...}: what the table names
//   POST /api/v1/workers/NAME/drain    {"request_id"}; also revoke
// The same request id and body get the same answer again.

#include <filesystem>
#include <optional>
#include <string>
#include <variant>

#include "coordinator/edge/api.h"
#include "coordinator/edge/http_access.h"
#include "coordinator/edge/mailbox.h"

namespace ranktide {

struct Command;

// A command and what it is done to.
struct CommandTarget {
  const Command* command = nullptr;
  std::string name;  // of the sweep or worker; empty for a submission
  Scope scope() const;
  bool is_submission() const { return name.empty(); }
};
// Returns: nullopt for a path that no command has. Requires: `path` is percent-decoded.
std::optional<CommandTarget> find_command(const std::string& path);

// Returns: the request to the core, or 400 with what is wrong with the body.
std::variant<UserRequest, ApiResponse> read_command(const CommandTarget& target, const std::string& body,
                                                    const Caller& caller);

// Returns: 404 when the sweep or worker is not in the picture, 403 when it is not the caller's to change;
// nullopt when the core may decide.
std::optional<ApiResponse> refuse_command(const CommandTarget& target, const Caller& caller,
                                          const LivePicture& picture);

// Does what must be done before the core decides: a submission's cells are looked at, and those among which
// trials are named, which takes long where they are many; what a submission says of the trials that it starts
// from is compared with the journal; a revoked worker's keys end in their table, so that it cannot come back
// between; one that is to be forgotten must be known, and its keys must be such as can be taken out. Reads and
// writes files. Returns: why it could not be done; nullopt to go on.
std::optional<ApiResponse> prepare(UserRequest& request, const std::filesystem::path& data_folder);

ApiResponse response_of(const std::variant<Answer, Unavailable>& heard);

}  // namespace ranktide
