#pragma once
// The coordinators that a user works with, by name: a JSON file of the user's own. It holds no token, only the
// file that one lies in. Not which of them a command is meant for (coordinator_choice.h). One thread; two
// commands that change it at once may lose one of the two changes.

#include <filesystem>
#include <map>
#include <string>

#include "common/vocabulary/wire.h"

namespace ranktide::cli {

struct Context {
  std::string coordinator;  // URL: http://10.0.0.5:8080 or https://sweeps.example.org
  std::string token_file;   // absolute; empty: no token
};
template <class Ar>
void fields(Ar& ar, Context& c) {
  ar("coordinator", c.coordinator)("token_file", c.token_file);
}

struct Contexts {
  std::string current;  // empty: the data folder of this machine
  std::map<std::string, Context> known;
};
template <class Ar>
void fields(Ar& ar, Contexts& c) {
  ar("current", c.current)("contexts", c.known);
}

// Returns: $XDG_CONFIG_HOME/ranktide/contexts.json, else ~/.config/ranktide/contexts.json.
std::filesystem::path contexts_file();
// An absent file is no contexts. Throws: CommandError naming the file when it is not understood.
Contexts read_contexts(const std::filesystem::path& file);
// Throws: CommandError when it cannot be written; the old file then stands.
void write_contexts(const std::filesystem::path& file, const Contexts& contexts);
// Throws: CommandError naming those that are known.
const Context& context_named(const Contexts& contexts, const std::string& name);

}  // namespace ranktide::cli
