// `ranktide help TOPIC`: what belongs to no single command.

#include <iostream>

#include "cli/command.h"
#include "cli/exit_codes.h"
#include "common/sweep/json_schema.h"
#include "common/sweep/settings.h"
#include "common/vocabulary/wire.h"

namespace ranktide::cli {
namespace {

constexpr const char* kExitCodes = R"(Exit codes of ranktide
  0    done
  1    the operation failed
  2    usage, or an invalid sweep file
  3    no coordinator answers
  4    no token, or one that may not do this
  5    no such sweep, trial or data folder
  6    everything ended, some trials or evals of theirs failed
  7    submit --wait: the time was up before the sweep had ended
  74   a commit to the data folder failed (a full disk, for one); nothing acknowledged is lost
  130  interrupted; what ran is checkpointed, the same command goes on

Exit codes of ranktide coordinator (sysexits.h; a service manager starts it again after 69, 73 and 74)
  0    told to stop
  64   usage
  65   the data folder's database is damaged, foreign or of a newer version
  69   a port is taken, or another coordinator serves the data folder
  73   the data folder cannot be created or written
  74   a commit to the data folder failed; nothing acknowledged is lost
  78   configuration: no token beyond loopback, a file of secrets that others can read, a disk without locks
  130  a second Ctrl-C or SIGTERM (143) ended it where it stood

Exit codes of ranktide worker (sysexits.h; a service manager starts it again after 69, 71, 73 and 74)
  0    drained: told to stop, idle for --max-idle, or done with --once
  64   usage, or it belongs to no coordinator yet
  65   a join line that was cut or mistyped; a worker that joined before goes on by its key instead
  69   no coordinator answers where it is to join
  71   the GPU driver does not answer
  73   its folder cannot be written, or another worker uses it
  74   its spool cannot be read
  77   the coordinator refused it: a join line that is used up or expired, and no key that joined before;
       a key that was revoked or has expired
  78   configuration: another coordinator's server key, a key that others can read, no such trainer, or one
       that cannot start here (its device, its folders, its libraries): its work went back untried; a folder
       that was copied and whose copy has taken this worker's place
  130  a second Ctrl-C or SIGTERM ended it where it stood

Exit codes of ranktide-trainer
  0    told to stop
  1    the operation failed
  2    usage
  71   serve: device fault
  78   serve: bad start (a folder that cannot be written, descriptors that are not open, no such device)
)";

constexpr const char* kEnvironment = R"(Environment
  RANKTIDE_DATA_DIR     data folder (default: $XDG_DATA_HOME/ranktide or ~/.local/share/ranktide)
  RANKTIDE_COORDINATOR  URL of the coordinator to ask; --coordinator goes before it
  RANKTIDE_CONTEXT      name of a context; --context goes before it
  RANKTIDE_TOKEN_FILE   file (mode 0600) with the token that commands send to a coordinator
  RANKTIDE_LOG_FORMAT   how coordinator and worker write their logs, text or json; --log-format goes before it
  NO_COLOR              non-empty: no colour
  CLICOLOR_FORCE        non-empty: colour even when the output is no terminal
)";

constexpr const char* kSchema = "sweep-schema";

std::string text_of(const std::string& topic) {
  if (topic == "exit-codes") return kExitCodes;
  if (topic == "environment") return kEnvironment;
  if (topic == kSchema) return sweep_json_schema().dump() + "\n";
  return settings_reference();
}

int print_topic(const std::string& topic, bool json) {
  const std::string text = text_of(topic);
  const bool is_json = topic == kSchema;
  std::cout << (json && !is_json ? Json{{"topic", topic}, {"text", text}}.dump(2) + "\n" : text);
  return kOk;
}

}  // namespace

std::function<int()> setup_help(CLI::App& command, const GlobalOptions& globals) {
  const auto topic = std::make_shared<std::string>("sweep-file");
  command.add_option("topic", *topic, "sweep-file, sweep-schema (JSON Schema), exit-codes or environment")
      ->check(CLI::IsMember({"sweep-file", kSchema, "exit-codes", "environment"}));
  return [topic, &globals] { return print_topic(*topic, globals.json); };
}

}  // namespace ranktide::cli
