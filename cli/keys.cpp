// `ranktide keygen` and `authorise`: keys made offline and let in by hand, for sites that copy files.

#include "common/net/keys.h"

#include <fmt/format.h>
#include <iostream>
#include <optional>

#include "cli/command.h"
#include "cli/exit_codes.h"
#include "cli/folders.h"
#include "common/net/clock.h"
#include "common/net/join_line.h"
#include "common/net/worker_keys.h"
#include "common/sweep/scalar_text.h"
#include "common/vocabulary/wire.h"
#include "coordinator/edge/join_lines.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

struct KeygenOptions {
  std::string name;
  std::string out;
};

void require_name(const std::string& name) {
  if (const std::string fault = fault_of_worker_name(name); !fault.empty())
    throw CommandError(kUsage, "\"" + name + "\": " + fault);
}

// The folder is the keys folder of a worker to be.
int keygen(const KeygenOptions& options, const GlobalOptions& globals) {
  require_name(options.name);
  const fs::path folder = options.out.empty() ? fs::path(options.name + ".keys") : fs::path(options.out);
  const KeyPair keys = make_new_key_pair(fs::absolute(folder), "worker");
  if (globals.json)
    std::cout
        << Json{{"name", options.name}, {"public_key", keys.public_key}, {"folder", folder.string()}}.dump(2)
        << "\n";
  else
    std::cout << keys.public_key << "\n";
  if (!globals.quiet && !globals.json)
    std::cerr << fmt::format(
        "on the coordinator's machine:  ranktide authorise {} {}\n"
        "on the worker's machine:       copy {} to keys in its data folder, modes kept\n",
        options.name, (folder / "worker.public").string(), folder.string());
  return kOk;
}

// Returns: where workers connect, as the coordinator said when it last served the folder.
std::string link_endpoint(const fs::path& data) {
  const auto known = read_join_addresses(data);
  return known ? tcp_endpoint(known->host, known->link_port) : "tcp://HOST:PORT";
}

constexpr int64_t kKeyLifeMaxMs = int64_t{100 * 366} * 24 * 3600 * 1000;

// Returns: nullopt for no text: the key never expires.
std::optional<int64_t> expiry_of(const std::string& text) {
  if (text.empty()) return std::nullopt;
  const auto duration = read_duration_ms(text);
  if (!duration || *duration <= 0 || *duration > kKeyLifeMaxMs)
    throw CommandError(kUsage, "--expires: \"" + text + "\" is not a time such as 12h or 30d");
  return wall_clock_ms() + *duration;
}

int authorise(const std::string& name, const std::string& key, const std::string& expires,
              const GlobalOptions& globals) {
  require_name(name);
  const std::optional<int64_t> until_ms = expiry_of(expires);
  const fs::path data = data_folder(globals.data_dir);
  const fs::path keys = data / "keys";
  const KeyPair coordinator = load_or_make_key_pair(keys, "coordinator");
  const std::string public_key = read_public_key(key);
  authorise_worker(keys / "workers", public_key, WorkerName{name}, until_ms);
  if (globals.json)
    std::cout << Json{{"name", name},
                      {"public_key", public_key},
                      {"fingerprint", fingerprint(public_key)},
                      {"coordinator", link_endpoint(data)},
                      {"server_key", coordinator.public_key}}
                     .dump(2)
              << "\n";
  else if (!globals.quiet)
    std::cerr << fmt::format(
        "{} (fingerprint {}) may connect{}. Its worker, unless it joined before:\n"
        "  ranktide worker --coordinator {} --server-key '{}'\n",
        name, fingerprint(public_key), until_ms ? " for " + expires : "", link_endpoint(data),
        coordinator.public_key);
  return kOk;
}

}  // namespace

std::function<int()> setup_keygen(CLI::App& command, const GlobalOptions& globals) {
  const auto options = std::make_shared<KeygenOptions>();
  command.add_option("name", options->name, "name of the worker to be")->required();
  command.add_option("-o,--out", options->out, "folder to make; default: NAME.keys");
  return [options, &globals] { return keygen(*options, globals); };
}

std::function<int()> setup_authorise(CLI::App& command, const GlobalOptions& globals) {
  const auto name = std::make_shared<std::string>();
  const auto key = std::make_shared<std::string>();
  command.add_option("name", *name, "name that the worker gets")->required();
  command.add_option("key", *key, "its public key, or the file worker.public")->required();
  const auto expires = std::make_shared<std::string>();
  command.add_option("--expires", *expires,
                     "how long the key is good: 12h, 30d; authorising it again renews it; default: for ever");
  return [=, &globals] { return authorise(*name, *key, *expires, globals); };
}

}  // namespace ranktide::cli
