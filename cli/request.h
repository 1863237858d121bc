#pragma once
// How a command asks a coordinator for something to be done: a fresh request id, asked again with the same id
// while nobody listens, so that it is done once however often it is asked. Not for commands that stay
// (patient_client.h). One thread.

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "cli/http_client.h"

namespace ranktide::cli {

// Returns: an id that no other request has, such as "submit:9f3c…".
std::string fresh_request_id(const std::string& what);

// Returns: the coordinator's answer. `body` gets a request id unless it has one.
// Throws: CommandError of code kUnreachable when nobody listens three times, or one who listens
// stays silent once; else as body_of (http_client.h).
Json post_command(const HttpClient& client, const std::string& target, Json body);

// Returns: the answer to a read. Throws: as post_command().
std::string get_body(const HttpClient& client, const std::string& target);

// Returns: the answer of the coordinator that serves this data folder; nullopt when none does, and its files
// may be read. Throws: CommandError of code kUnreachable when a process holds the folder and does not answer
// for so long: what it has not told is not read behind its back.
std::optional<std::string> body_of_folder(const std::filesystem::path& data, const std::string& target,
                                          std::chrono::milliseconds patience = std::chrono::seconds{5});

// Returns: the target of an action on a sweep.
std::string sweep_target(const std::string& sweep, const std::string& action);

}  // namespace ranktide::cli
