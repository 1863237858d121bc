// `ranktide watch`: a sweep as it runs, until it ends.

#include <iostream>

#include "cli/command.h"
#include "cli/remote_watch.h"

namespace ranktide::cli {

std::function<int()> setup_watch(CLI::App& command, const GlobalOptions& globals) {
  const auto sweep = std::make_shared<std::string>();
  command.add_option("sweep", *sweep, "name of the sweep")->required();
  return [sweep, &globals] {
    const auto last = watch(PatientClient(globals, {}), *sweep, globals, std::nullopt);
    if (globals.json && last) std::cout << to_json(*last).dump(2) << "\n";
    return exit_code_of(last);
  };
}

}  // namespace ranktide::cli
