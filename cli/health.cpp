// `ranktide health`: whether a coordinator is alive, as an exit code, for those who cannot ask over HTTP
// themselves.

#include <fmt/format.h>
#include <iostream>

#include "cli/command.h"
#include "cli/coordinator_choice.h"
#include "cli/exit_codes.h"

namespace ranktide::cli {
namespace {

int ask(const std::string& target, const GlobalOptions& globals) {
  const auto answer = require_coordinator(globals).get(target);
  if (!answer) throw CommandError(kUnreachable, "no coordinator answered");
  if (globals.json)
    std::cout << Json{{"ok", answer->status == 200}, {"status", answer->status}, {"says", answer->body}}.dump(2)
              << "\n";
  else if (!globals.quiet)
    std::cout << answer->body << "\n";
  return answer->status == 200 ? kOk : kFailed;
}

}  // namespace

std::function<int()> setup_health(CLI::App& command, const GlobalOptions& globals) {
  const auto is_ready = std::make_shared<bool>(false);
  command.add_flag("--ready", *is_ready,
                   "also that it can take work: the folder can be written, the disk has room");
  return [is_ready, &globals] { return ask(*is_ready ? "/readyz" : "/livez", globals); };
}

}  // namespace ranktide::cli
