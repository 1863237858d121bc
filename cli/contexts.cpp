#include "cli/contexts.h"

#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <sstream>

#include "cli/command.h"
#include "cli/exit_codes.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

fs::path contexts_file() {
  if (const char* xdg = std::getenv("XDG_CONFIG_HOME"); xdg && *xdg)
    return fs::path(xdg) / "ranktide/contexts.json";
  if (const char* home = std::getenv("HOME"); home && *home)
    return fs::path(home) / ".config/ranktide/contexts.json";
  throw CommandError(kUsage, "no place for contexts: neither XDG_CONFIG_HOME nor HOME is set");
}

Contexts read_contexts(const fs::path& file) {
  std::ifstream in(file);
  if (!in) return {};
  std::stringstream text;
  text << in.rdbuf();
  try {
    return from_json<Contexts>(parse_json(text.str()));
  } catch (const ProtocolError& wrong) {
    throw CommandError(kUsage, fmt::format("{}: {}; mend it, or remove it and `ranktide context add` anew",
                                           file.string(), wrong.what()));
  }
}

void write_contexts(const fs::path& file, const Contexts& contexts) {
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  const fs::path draft = file.string() + ".draft";
  std::ofstream out(draft);
  out << ranktide::to_json(contexts).dump(2) << "\n";
  out.close();
  if (out) fs::rename(draft, file, error);
  if (!out || error) throw CommandError(kFailed, "cannot write " + file.string() + "; is its folder writable?");
}

const Context& context_named(const Contexts& contexts, const std::string& name) {
  const auto found = contexts.known.find(name);
  if (found != contexts.known.end()) return found->second;
  std::string known;
  for (const auto& [each, context] : contexts.known) known += (known.empty() ? "" : ", ") + each;
  throw CommandError(kNotFound,
                     fmt::format("no context \"{}\"; {}", name,
                                 known.empty() ? "`ranktide context add NAME --coordinator URL` makes one"
                                               : "known are " + known));
}

}  // namespace ranktide::cli
