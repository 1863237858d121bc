// `ranktide coordinator`: serves a data folder to workers and clients until it is told to stop.

#include <charconv>
#include <csignal>
#include <fmt/format.h>
#include <iostream>
#include <optional>
#include <spdlog/spdlog.h>
#include <stdexcept>
#include <sysexits.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/enrolment_front.h"
#include "cli/exit_codes.h"
#include "cli/folders.h"
#include "cli/service_log.h"
#include "cli/service_manager.h"
#include "cli/version.h"
#include "common/net/clock.h"
#include "common/net/join_line.h"
#include "common/vocabulary/wire.h"
#include "coordinator/edge/http_server.h"
#include "coordinator/edge/join_lines.h"
#include "coordinator/edge/router.h"
#include "coordinator/edge/serve.h"
#include "coordinator/edge/store_folder.h"
#include "coordinator/edge/token_table.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

struct CoordinatorOptions {
  std::string action = "serve";
  std::string bind = "tcp://127.0.0.1:5555";
  std::string bulk_bind;
  std::string host;
  std::string http = "127.0.0.1:8080";
  std::vector<std::string> http_names;
  bool is_behind_tls_proxy = false;
  bool is_insecure_http = false;
  std::string log_format;
};

HttpAddress http_address(const CoordinatorOptions& options) {
  try {
    return parse_http_address(options.http);
  } catch (const std::invalid_argument& wrong) {
    throw CommandError(EX_USAGE, std::string("--http: ") + wrong.what());
  }
}

constexpr std::string_view kTcp = "tcp://";
constexpr int kHighestPort = 65535;

std::string port_text(const std::string& endpoint) {
  return endpoint.substr(endpoint.rfind(':') + 1);
}

// Returns: whether any free port will do.
bool is_any_port(const std::string& endpoint) {
  return port_text(endpoint) == "*" || port_text(endpoint) == "0";
}

// Returns: the port that an endpoint ends with; nullopt for any, and where there is none.
std::optional<int> port_number(const std::string& endpoint) {
  const std::string text = port_text(endpoint);
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool is_port =
      error == std::errc() && end == text.data() + text.size() && port > 0 && port <= kHighestPort;
  return is_port ? std::optional(port) : std::nullopt;
}

// Returns: the endpoint, with * for a port that may be any. Throws: CommandError for what is not
// tcp://HOST:PORT; port * or 0 is any free one.
std::string checked_endpoint(const std::string& option, const std::string& bind) {
  const bool has_host = bind.starts_with(kTcp) && bind.rfind(':') > kTcp.size();
  if (!has_host || (!is_any_port(bind) && !port_number(bind)))
    throw CommandError(EX_USAGE, option + ": \"" + bind +
                                     "\" is not tcp://HOST:PORT, such as tcp://0.0.0.0:5555; port * is any");
  return is_any_port(bind) ? bind.substr(0, bind.rfind(':') + 1) + "*" : bind;
}

// New workers join at the next port; files are at the one after it, unless they have a place of their own.
void require_ports_beside(const CoordinatorOptions& options) {
  const bool has_files_beside = options.bulk_bind.empty();
  const int highest = kHighestPort - (has_files_beside ? 2 : 1);
  const auto port = port_number(options.bind);
  if (!port || *port <= highest) return;
  throw CommandError(
      EX_USAGE, fmt::format("--bind: \"{}\": {}; give a port of at most {}", options.bind,
                            has_files_beside ? "the two ports after it are needed for new workers and files"
                                             : "the port after it is needed for new workers",
                            highest));
}

void require_host(const std::string& host) {
  if (host.empty()) return;  // as --bind says
  if (const std::string fault = fault_of_join_host(host); !fault.empty())
    throw CommandError(EX_USAGE, "--host: \"" + host + "\" is " + fault);
}

// Workers are told the port, but whoever opens a firewall wants to know it before.
std::string bulk_endpoint(const CoordinatorOptions& options) {
  if (!options.bulk_bind.empty()) return options.bulk_bind;
  const auto port = port_number(options.bind);
  return options.bind.substr(0, options.bind.rfind(':') + 1) + (port ? std::to_string(*port + 2) : "*");
}

bool has_active_token(const fs::path& data) {
  const TokenTable table(tokens_file(data));
  for (const Token& token : table.tokens())
    if (standing_of(token, wall_clock_ms()) == TokenStanding::active) return true;
  return false;
}

// Beyond loopback whoever reaches the port could submit programs' work: tokens, and a word on how they travel.
void require_guarded(const CoordinatorOptions& options, const HttpAddress& address, const fs::path& data) {
  if (address.is_loopback() && !options.is_behind_tls_proxy) return;
  if (!options.is_behind_tls_proxy && !options.is_insecure_http)
    throw CommandError(EX_CONFIG,
                       "--http " + address.text() +
                           " is not loopback and tokens would travel in the clear: put a TLS proxy in "
                           "front and say --behind-tls-proxy, or --insecure-http in a network you trust");
  if (!has_active_token(data))
    throw CommandError(EX_CONFIG,
                       "--http " + address.text() + " needs a token and " + tokens_file(data).string() +
                           " has none that is active; make one: ranktide token add NAME --data-dir " +
                           data.string());
  if (options.is_insecure_http)
    spdlog::warn("HTTP at {} is not encrypted: whoever listens in can use your tokens", address.text());
}

int sysexit_of(FolderError::Why why) {
  switch (why) {
    case FolderError::Why::in_use:
      return EX_UNAVAILABLE;
    case FolderError::Why::cannot_write:
      return EX_CANTCREAT;
    case FolderError::Why::cannot_lock:
      return EX_CONFIG;
  }
  return EX_OSERR;
}

// What keeps a coordinator from starting, as sysexits.h has it: a service manager tries some of them again.
template <class Start>
int with_coordinator_exits(Start start) {
  try {
    return start();
  } catch (const FolderError& error) {
    throw CommandError(sysexit_of(error.why), error.what());
  } catch (const StoreFull& error) {
    throw CommandError(EX_IOERR, error.what());
  } catch (const StoreError& error) {
    throw CommandError(EX_DATAERR, error.what());
  } catch (const RouterError& error) {
    throw CommandError(EX_UNAVAILABLE, error.what());
  } catch (const HttpServerError& error) {
    throw CommandError(EX_UNAVAILABLE, error.what());
  } catch (const KeyError& error) {
    throw CommandError(EX_CONFIG, error.what());
  }
}

sigset_t ending_signals() {
  sigset_t out;
  sigemptyset(&out);
  sigaddset(&out, SIGTERM);
  sigaddset(&out, SIGINT);
  return out;
}

// The first signal asks for an orderly end; from then on the next one ends the process where it stands.
void wait_for_ending() {
  const sigset_t ending = ending_signals();
  int number = 0;
  sigwait(&ending, &number);
  for (const int again : {SIGTERM, SIGINT}) std::signal(again, [](int n) { ::_exit(128 + n); });
  pthread_sigmask(SIG_UNBLOCK, &ending, nullptr);
}

// On standard output, for the person or the program that started it: at the folder's first start a join line,
// with --json beside where it serves.
void say_start(const GlobalOptions& globals, const fs::path& data, const JoinAddresses& addresses, Json place) {
  const auto join = first_join_line(data, addresses);
  if (join) place["join"] = *join;
  if (globals.json)
    std::cout << place.dump() << std::endl;
  else if (join)
    std::cout << *join << std::endl;
  spdlog::info("`ranktide invite` prints a line for new workers{}",
               join ? "; the first one, good for an hour, is on standard output" : "");
}

int serve(const CoordinatorOptions& options, const GlobalOptions& globals) {
  log_as_service(options.log_format);
  const fs::path data = data_folder(globals.data_dir);
  const HttpAddress address = http_address(options);
  const std::string bind = checked_endpoint("--bind", options.bind);
  require_ports_beside(options);
  const std::string bulk = checked_endpoint("--bulk-bind", bulk_endpoint(options));
  require_host(options.host);
  require_guarded(options, address, data);
  const sigset_t ending = ending_signals();
  pthread_sigmask(SIG_BLOCK, &ending, nullptr);  // in every thread made from here on
  std::signal(SIGPIPE, SIG_IGN);
  CoordinatorService service(
      {.data_folder = data, .endpoint = bind, .bulk_endpoint = bulk, .after_turn = WatchdogKick()});
  Enrolment enrolment = open_enrolment(data, {.link_endpoint = service.endpoint(),
                                              .enrol_endpoint = enrol_endpoint_beside(bind),
                                              .host = options.host});
  RefusalCounts refusals = service.bulk_refusals();
  const RefusalCounts& at_the_door = enrolment.door->refusals();
  refusals.insert(refusals.end(), at_the_door.begin(), at_the_door.end());
  HttpServer server({.data_folder = data,
                     .address = address,
                     .names = options.http_names,
                     .is_behind_tls_proxy = options.is_behind_tls_proxy,
                     .version = kVersion,
                     .doors = {service.bulk_sign(), enrolment.door->sign()},
                     .refusals = std::move(refusals),
                     .blobs = &service.blobs()},
                    service.mailbox());
  say_start(globals, data, enrolment.addresses,
            {{"data_folder", data.string()},
             {"workers", service.endpoint()},
             {"clients", "http://" + server.address().text()}});
  spdlog::info("serves {} to clients at http://{}", data.string(), server.address().text());
  tell_service_manager("READY=1");
  wait_for_ending();
  tell_service_manager("STOPPING=1");
  spdlog::info("stopping; workers go on training and find the next coordinator");
  enrolment.door.reset();
  server.stop_accepting();
  service.stop();
  // All is durable and said; only a reader of results could still be at work, and nobody waits for it.
  std::signal(SIGALRM, [](int) { ::_exit(kOk); });
  ::alarm(3);
  return kOk;
}

}  // namespace

std::function<int()> setup_coordinator(CLI::App& command, const GlobalOptions& globals) {
  const auto options = std::make_shared<CoordinatorOptions>();
  command.add_option("action", options->action, "serve (the default)")->check(CLI::IsMember({"serve"}));
  command.add_option("--bind", options->bind, "where workers connect; new ones at the next port")
      ->capture_default_str();
  command.add_option("--bulk-bind", options->bulk_bind,
                     "where workers fetch files; default: two ports above --bind");
  command.add_option("--host", options->host, "how workers reach this machine; default: as --bind says");
  command.add_option("--http", options->http, "where clients connect; beyond loopback they need tokens")
      ->capture_default_str();
  command.add_option("--http-name", options->http_names,
                     "a further name that clients reach it by (HOST or HOST:PORT); may be given again");
  auto* const proxy = command.add_flag("--behind-tls-proxy", options->is_behind_tls_proxy,
                                       "a proxy in front encrypts; every client needs a token");
  command.add_flag("--insecure-http", options->is_insecure_http, "tokens may travel in the clear")
      ->excludes(proxy);
  add_log_format(command, options->log_format);
  return [options, &globals] { return with_coordinator_exits([&] { return serve(*options, globals); }); };
}

}  // namespace ranktide::cli
