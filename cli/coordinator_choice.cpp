#include "cli/coordinator_choice.h"

#include <cstdlib>

#include "cli/contexts.h"
#include "cli/exit_codes.h"
#include "cli/folders.h"

namespace ranktide::cli {
namespace {

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value ? value : "";
}

HttpClient client_of(const Context& context) {
  const std::string file = context.token_file.empty() ? environment("RANKTIDE_TOKEN_FILE") : context.token_file;
  return HttpClient(parse_url(context.coordinator), file.empty() ? "" : read_token(file));
}

HttpClient client_named(const std::string& name) {
  return client_of(context_named(read_contexts(contexts_file()), name));
}

}  // namespace

std::optional<HttpClient> named_coordinator(const GlobalOptions& globals) {
  if (!globals.coordinator.empty()) return client_of(Context{.coordinator = globals.coordinator});
  if (!globals.context.empty()) return client_named(globals.context);
  if (!globals.data_dir.empty()) return std::nullopt;
  if (const auto url = environment("RANKTIDE_COORDINATOR"); !url.empty())
    return client_of(Context{.coordinator = url});
  if (const auto name = environment("RANKTIDE_CONTEXT"); !name.empty()) return client_named(name);
  const Contexts contexts = read_contexts(contexts_file());
  if (contexts.current.empty()) return std::nullopt;
  return client_of(context_named(contexts, contexts.current));
}

std::optional<HttpClient> chosen_coordinator(const GlobalOptions& globals) {
  if (auto named = named_coordinator(globals)) return named;
  return client_of_folder(data_folder(globals.data_dir));
}

HttpClient require_coordinator(const GlobalOptions& globals) {
  if (auto chosen = chosen_coordinator(globals)) return *std::move(chosen);
  throw CommandError(kUnreachable,
                     "no coordinator serves " + data_folder(globals.data_dir).string() +
                         "; start one with `ranktide coordinator`, or name another: --coordinator URL, "
                         "or `ranktide context add`");
}

}  // namespace ranktide::cli
