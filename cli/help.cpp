// `ranktide help TOPIC`: what belongs to no single command.

#include <iostream>

#include "cli/command.h"
#include "cli/exit_codes.h"
#include "common/sweep/settings.h"

namespace ranktide::cli {
namespace {

constexpr const char* kExitCodes = R"(Exit codes of ranktide
  0    done
  1    the operation failed
  2    usage, or an invalid sweep file
  5    no such sweep, trial or data folder
  6    everything ended, some trials failed
  74   a commit to the data folder failed (a full disk, for one); nothing acknowledged is lost
  130  interrupted; what ran is checkpointed, the same command goes on

Exit codes of ranktide-trainer
  0    told to stop
  1    the operation failed
  2    usage
  71   serve: device fault
  78   serve: bad start (a folder that cannot be written, descriptors that are not open)
)";

constexpr const char* kEnvironment = R"(Environment
  RANKTIDE_DATA_DIR   data folder (default: $XDG_DATA_HOME/ranktide or ~/.local/share/ranktide)
  NO_COLOR            non-empty: no colour
  CLICOLOR_FORCE      non-empty: colour even when the output is no terminal
)";

int print_topic(const std::string& topic) {
  if (topic == "exit-codes")
    std::cout << kExitCodes;
  else if (topic == "environment")
    std::cout << kEnvironment;
  else
    std::cout << settings_reference();
  return kOk;
}

}  // namespace

std::function<int()> setup_help(CLI::App& command, const GlobalOptions&) {
  const auto topic = std::make_shared<std::string>("sweep-file");
  command.add_option("topic", *topic, "sweep-file, exit-codes or environment")
      ->check(CLI::IsMember({"sweep-file", "exit-codes", "environment"}));
  return [topic] { return print_topic(*topic); };
}

}  // namespace ranktide::cli
