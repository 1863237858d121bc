// `ranktide invite`: prints a line that lets workers join, on the coordinator's machine.

#include <fmt/format.h>
#include <iostream>

#include "cli/command.h"
#include "cli/exit_codes.h"
#include "cli/folders.h"
#include "cli/terminal.h"
#include "common/net/invites.h"
#include "common/net/join_line.h"
#include "common/sweep/scalar_text.h"
#include "coordinator/edge/join_lines.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

struct InviteOptions {
  int uses = 1;
  std::string expires = "15m";
  std::string host;
};

constexpr int64_t kLongestMs = int64_t{366} * 24 * 3600 * 1000;

Duration good_for(const std::string& text) {
  const auto ms = read_duration_ms(text);
  if (!ms || *ms <= 0 || *ms > kLongestMs)
    throw CommandError(kUsage,
                       "--expires: \"" + text + "\" is not a time such as 15m, 1h or 7d, at most a year");
  return Duration(*ms);
}

JoinAddresses addresses(const InviteOptions& options, const fs::path& data) {
  auto found = read_join_addresses(data);
  if (!found)
    throw CommandError(kNotFound,
                       "no coordinator has served " + data.string() +
                           " yet, so its addresses are not known; start `ranktide coordinator` there first");
  if (options.host.empty()) return *found;
  if (const std::string fault = fault_of_join_host(options.host); !fault.empty())
    throw CommandError(kUsage, "--host: \"" + options.host + "\" is " + fault);
  found->host = options.host;
  return *found;
}

int invite(const InviteOptions& options, const GlobalOptions& globals) {
  const fs::path data = data_folder(globals.data_dir);
  const Duration time = good_for(options.expires);
  const JoinAddresses where = addresses(options, data);
  const std::string line = new_join_line(data, where, options.uses, time);
  if (globals.json)
    std::cout << Json{{"join", line}, {"uses", options.uses}, {"good_for_ms", time.count()}}.dump(2) << "\n";
  else
    std::cout << line << "\n";
  if (!globals.quiet && !globals.json)
    std::cerr << fmt::format("on the worker, within {}, for {} worker(s):\n  ranktide worker --join {}\n",
                             duration_text(static_cast<double>(time.count()) / 1000), options.uses,
                             options.uses == 1 ? "LINE" : "-    # and the line on its standard input");
  return kOk;
}

}  // namespace

std::function<int()> setup_invite(CLI::App& command, const GlobalOptions& globals) {
  const auto options = std::make_shared<InviteOptions>();
  command.add_option("--uses", options->uses, "how many workers may join with it")
      ->check(CLI::Range(1, kInviteUsesMax))
      ->capture_default_str();
  command.add_option("--expires", options->expires, "good for so long: 15m, 1h, 7d")->capture_default_str();
  command.add_option("--host", options->host,
                     "how workers reach this machine; default: as the coordinator says");
  return [options, &globals] { return invite(*options, globals); };
}

}  // namespace ranktide::cli
