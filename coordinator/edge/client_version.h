#pragma once
// Whether a client and this coordinator mean the same by a submission. A field of a spec that the reader does
// not know is dropped when it is decoded, and other trials would run, or run otherwise, than were asked for. So
// clients name the version of what they send, and a submission in another one is refused. Settings need no
// version: one that is not known is refused by its name (validate). Reads and controls have none. Pure.
//   Ranktide-Client: 0.1.0; wire=2

#include <optional>
#include <string>

#include "coordinator/edge/api.h"

namespace ranktide {

// Raised whenever SweepSpec, or a struct in it, gets a field; a test holds the names that go with it.
inline constexpr int kSubmitWireVersion = 2;
inline constexpr const char* kClientHeader = "Ranktide-Client";

// Returns: the header's value, as a client of that version sends it.
std::string client_header(const std::string& program_version);

// header: what came; empty: none, as other programs send, whose spec is taken for one of ours.
// Returns: 400 naming both versions when the submission is in another one; nullopt to go on.
std::optional<ApiResponse> refuse_submission_of(const std::string& header, const std::string& our_version);

}  // namespace ranktide
