// `ranktide version`: this program's version, and that of what it says to workers.

#include "cli/version.h"

#include <iostream>

#include "cli/command.h"
#include "cli/exit_codes.h"
#include "common/vocabulary/protocol.h"

namespace ranktide::cli {

std::function<int()> setup_version(CLI::App&, const GlobalOptions& globals) {
  return [&globals] {
    if (globals.json)
      std::cout << Json{{"version", kVersion}, {"protocol", kProtocolVersion}}.dump(2) << "\n";
    else
      std::cout << "ranktide " << kVersion << "\n";
    return kOk;
  };
}

}  // namespace ranktide::cli
