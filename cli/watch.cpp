// `ranktide watch`: a sweep as it runs, until it ends.

#include "cli/command.h"
#include "cli/coordinator_choice.h"
#include "cli/remote_watch.h"

namespace ranktide::cli {

std::function<int()> setup_watch(CLI::App& command, const GlobalOptions& globals) {
  const auto sweep = std::make_shared<std::string>();
  command.add_option("sweep", *sweep, "name of the sweep")->required();
  return [sweep, &globals] {
    return exit_code_of(watch(require_coordinator(globals), *sweep, globals, std::nullopt));
  };
}

}  // namespace ranktide::cli
