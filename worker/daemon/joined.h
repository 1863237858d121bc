#pragma once
// Which coordinator this worker belongs to, kept in its folder so that it starts without its token: the file
// <folder>/joined. Nothing secret is in it: a token is random, and only its hash is here. Thread rule: free
// functions; the folder's one worker.

#include <filesystem>
#include <optional>
#include <string>

#include "common/vocabulary/wire.h"

namespace ranktide {

struct Joined {
  std::string endpoint;         // of the link
  std::string coordinator_key;  // public
  std::string name;             // under which the coordinator knows `worker_key`
  std::string worker_key;       // public
  std::string
      token_sha256{};  // of the join line that it was enrolled with; empty: authorised by hand, if at all
};
template <class Ar>
void fields(Ar& ar, Joined& j) {
  ar("endpoint", j.endpoint)("coordinator_key", j.coordinator_key)("name", j.name)("worker_key", j.worker_key);
  ar("token_sha256", j.token_sha256);
}

// Throws: KeyError for a file that is not understood, naming it.
std::optional<Joined> read_joined(const std::filesystem::path& work_folder);
// Throws: KeyError.
void write_joined(const std::filesystem::path& work_folder, const Joined& joined);

}  // namespace ranktide
