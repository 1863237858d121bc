// `ranktide context`: which coordinators there are, and which one commands are meant for.

#include <fmt/format.h>
#include <iostream>

#include "cli/command.h"
#include "cli/contexts.h"
#include "cli/exit_codes.h"
#include "cli/http_client.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

struct ContextOptions {
  std::string name;
  std::string coordinator;
  std::string token_file;
};

// What every one of them prints under --json: how contexts stand after it.
int print_json(const Contexts& contexts) {
  std::cout << ranktide::to_json(contexts).dump(2) << "\n";
  return kOk;
}

int list_contexts(const GlobalOptions& globals) {
  const Contexts contexts = read_contexts(contexts_file());
  if (globals.json) return print_json(contexts);
  for (const auto& [name, context] : contexts.known)
    std::cout << fmt::format("{} {:<12} {}\n", name == contexts.current ? '*' : ' ', name, context.coordinator);
  if (contexts.known.empty()) std::cerr << "no contexts; commands are meant for this machine's data folder\n";
  return kOk;
}

int add(const ContextOptions& options, const GlobalOptions& globals) {
  parse_url(options.coordinator);  // refused now rather than at the next command
  Contexts contexts = read_contexts(contexts_file());
  contexts.known[options.name] = {
      .coordinator = options.coordinator,
      .token_file = options.token_file.empty() ? "" : fs::absolute(options.token_file).string()};
  if (contexts.current.empty()) contexts.current = options.name;
  write_contexts(contexts_file(), contexts);
  if (globals.json) return print_json(contexts);
  if (!globals.quiet)
    std::cerr << fmt::format("context {} is {}; commands are meant for {}\n", options.name, options.coordinator,
                             contexts.current);
  return kOk;
}

int use(const ContextOptions& options, const GlobalOptions& globals) {
  Contexts contexts = read_contexts(contexts_file());
  const bool is_here = options.name == "local";
  if (!is_here) context_named(contexts, options.name);
  contexts.current = is_here ? "" : options.name;
  write_contexts(contexts_file(), contexts);
  if (globals.json) return print_json(contexts);
  if (!globals.quiet)
    std::cerr << "commands are meant for " << (is_here ? "this machine's data folder" : options.name) << "\n";
  return kOk;
}

int remove(const ContextOptions& options, const GlobalOptions& globals) {
  Contexts contexts = read_contexts(contexts_file());
  context_named(contexts, options.name);
  contexts.known.erase(options.name);
  if (contexts.current == options.name) contexts.current.clear();
  write_contexts(contexts_file(), contexts);
  if (globals.json) return print_json(contexts);
  if (!globals.quiet) std::cerr << "context " << options.name << " is gone\n";
  return kOk;
}

}  // namespace

std::function<int()> setup_context(CLI::App& command, const GlobalOptions& globals) {
  const auto options = std::make_shared<ContextOptions>();
  const auto act = std::make_shared<std::function<int()>>();
  const auto named = [&](const char* name, const char* summary, auto action) {
    CLI::App* sub = command.add_subcommand(name, summary);
    sub->callback([=, &globals] { *act = [=, &globals] { return action(*options, globals); }; });
    return sub;
  };
  named("list", "what is known; * is the one in use",
        [](const ContextOptions&, const GlobalOptions& g) { return list_contexts(g); });
  CLI::App* adding = named("add", "name a coordinator; the first one is in use from then on", add);
  adding->add_option("name", options->name, "what to call it")->required();
  adding->add_option("--coordinator", options->coordinator, "URL, such as http://10.0.0.5:8080")->required();
  adding->add_option("--token-file", options->token_file, "file with a token (mode 0600)");
  for (CLI::App* sub : {named("use", "mean this one from now on; `local` is this machine's data folder", use),
                        named("remove", "forget one", remove)})
    sub->add_option("name", options->name, "name of a context")->required();
  command.require_subcommand(1);
  return [act] { return (*act)(); };
}

}  // namespace ranktide::cli
