// The program: parses the command line, runs one command, turns what it throws into a message and an exit code.

#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <iostream>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/exit_codes.h"
#include "cli/find_inputs.h"
#include "cli/sweep_errors.h"
#include "cli/terminal.h"
#include "cli/usage_error.h"
#include "cli/version.h"
#include "common/net/keys.h"
#include "common/sweep/expression.h"
#include "common/sweep/spec_error.h"
#include "common/vocabulary/check.h"
#include "coordinator/edge/query.h"

namespace ranktide::cli {

const std::vector<Command>& commands() {
  static const std::vector<Command> table = {
      {"run", "run a sweep file on this machine, from coordinator to report",
       "ranktide run sweeps/quickstart.yaml", setup_run},
      {"plan", "validate, expand, count and estimate a sweep file; start nothing",
       "ranktide plan sweeps/quickstart.yaml", setup_plan, true},
      {"query", "results by any axis", "ranktide query quickstart --by method,rank --where 'regime = math'",
       setup_query, true},
      {"status", "where sweeps stand", "ranktide status quickstart", setup_status, true},
      {"logs", "what a trial's trainer printed", "ranktide logs 3f9c1e --tail 20", setup_logs, true},
      {"report", "write a sweep's HTML report", "ranktide report quickstart -o report.html", setup_report,
       true},
      {"compare", "in which settings two sweeps or two trials differ", "ranktide compare 3f9c1e 8a20d4",
       setup_compare, true},
      {"fetch", "copy what a trial left, its adapter or weights, from its coordinator",
       "ranktide fetch 3f9c1e -o adapter", setup_fetch, true},
      {"submit", "hand a sweep file to a coordinator", "ranktide submit sweeps/quickstart.yaml --wait",
       setup_submit, true},
      {"list", "the sweeps of a coordinator or a data folder", "ranktide list", setup_list, true},
      {"watch", "follow a sweep until it ends", "ranktide watch quickstart", setup_watch, true},
      {"pause", "start nothing more of a sweep for now", "ranktide pause quickstart", setup_pause, true},
      {"resume", "go on with a paused sweep", "ranktide resume quickstart", setup_resume, true},
      {"stop", "let what runs of a sweep end, start nothing more", "ranktide stop quickstart", setup_stop,
       true},
      {"cancel", "kill what runs of a sweep", "ranktide cancel quickstart --yes", setup_cancel, true},
      {"retry", "try again what failed or was cancelled", "ranktide retry quickstart", setup_retry, true},
      {"set", "change a sweep's priority and width while it runs", "ranktide set quickstart --priority 5",
       setup_set, true},
      {"context",
       "name coordinators and choose one",
       "ranktide context add lab --coordinator http://10.0.0.5:8080",
       setup_context,
       false,
       kUsage,
       {{"list", "ranktide context list"},
        {"add", "ranktide context add lab --coordinator http://10.0.0.5:8080"},
        {"use", "ranktide context use lab"},
        {"remove", "ranktide context remove lab"}}},
      {"worker",
       "train for a coordinator; list, drain, revoke and forget workers",
       "ranktide worker --join LINE",
       setup_worker,
       false,
       EX_USAGE,
       {{"run", "ranktide worker run --join join-line.txt --labels a100"},
        {"list", "ranktide worker list --coordinator http://10.0.0.5:8080", true},
        {"drain", "ranktide worker drain gpu03", true},
        {"revoke", "ranktide worker revoke gpu03 --yes", true},
        {"forget", "ranktide worker forget gpu03 --yes", true}}},
      {"invite", "print a line that lets workers join", "ranktide invite --uses 8 --expires 1h", setup_invite},
      {"keygen", "make a worker's keys offline", "ranktide keygen node7", setup_keygen},
      {"authorise", "let a worker's key in by hand", "ranktide authorise node7 node7.keys/worker.public",
       setup_authorise},
      {"coordinator", "serve a data folder to workers and clients",
       "ranktide coordinator --bind tcp://0.0.0.0:5555", setup_coordinator, false, EX_USAGE},
      {"token",
       "who may use a coordinator over HTTP",
       "ranktide token add ann --scope submit",
       setup_token,
       false,
       kUsage,
       {{"add", "ranktide token add ann --scope submit --expires 30d"},
        {"list", "ranktide token list"},
        {"revoke", "ranktide token revoke ann"}}},
      {"health", "whether a coordinator is alive, as an exit code", "ranktide health --ready", setup_health,
       true},
      {"slurm",
       "workers as Slurm jobs",
       "ranktide slurm script --cpus 8 --array 0-3 -- --join join-line.txt",
       setup_slurm,
       false,
       kUsage,
       {{"script", "ranktide slurm script --cpus 8 --array 0-3 -- --join join-line.txt"}}},
      {"import", "turn a file of W&B sweeps, Hydra or axolotl into a sweep file",
       "ranktide import wandb sweep.yaml -o sweeps/mine.yaml", setup_import},
      {"doctor", "check this machine", "ranktide doctor", setup_doctor},
      {"help", "sweep-file, sweep-schema, exit-codes, environment", "ranktide help sweep-file", setup_help},
      {"version", "this program's version", "ranktide version", setup_version},
      {"completion", "print a script that completes this command line in a shell",
       "source <(ranktide completion bash)", setup_completion},
      {"man-pages", "write the manual pages", "ranktide man-pages ~/.local/share/man/man1", setup_man_pages},
  };
  return table;
}

namespace {

void print_error(const std::exception& e) {
  std::cerr << "error: " << e.what() << "\n";
}

int guarded(const std::function<int()>& act, const GlobalOptions& globals) {
  try {
    return act();
  } catch (const CommandError& e) {
    return print_error(e), e.code;
  } catch (const SpecError& e) {
    return print_sweep_errors(e, globals), kUsage;
  } catch (const ExpressionError& e) {
    return print_error(e), kUsage;
  } catch (const SweepNotFound& e) {
    return print_error(e), kNotFound;
  } catch (const QueryError& e) {
    return print_error(e), kUsage;
  } catch (const std::exception& e) {
    return print_error(e), kFailed;
  }
}

void add_globals(CLI::App& command, GlobalOptions& globals) {
  command.add_option("--data-dir", globals.data_dir, "data folder: database, artifacts, cache, reports");
  command.add_flag("--json", globals.json, "machine-readable output");
  command.add_flag("-q,--quiet", globals.quiet, "only results and errors");
  command.add_option("--color", globals.color, "auto, always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}));
}

void add_coordinator_options(CLI::App& command, GlobalOptions& globals) {
  command.add_option("-C,--context", globals.context, "coordinator to ask, by name (ranktide context)");
  command.add_option("--coordinator", globals.coordinator, "coordinator to ask, by URL");
}

// What the table says of a command or of a word below it.
void describe(CLI::App& command, const Word& word, GlobalOptions& globals) {
  command.footer(std::string("Example:\n  ") + word.example);
  add_globals(command, globals);
  if (word.asks_coordinator) add_coordinator_options(command, globals);
}

void add_command(CLI::App& app, const Command& entry, GlobalOptions& globals, std::function<int()>& chosen) {
  CLI::App* const command = app.add_subcommand(entry.name, entry.summary);
  describe(*command, {entry.name, entry.example, entry.asks_coordinator}, globals);
  const auto act = entry.setup(*command, globals);
  command->callback([&chosen, act] { chosen = act; });
  for (const Word& word : entry.words) describe(*command->get_subcommand(word.name), word, globals);
  RT_CHECK(command->get_subcommands(nullptr).size() == entry.words.size());
}

// A service's words that only ask are commands like the others.
int usage_code(const CLI::App& app) {
  for (const Command& entry : commands()) {
    if (!app.got_subcommand(entry.name)) continue;
    for (const Word& word : entry.words)
      if (word.asks_coordinator && app.get_subcommand(entry.name)->got_subcommand(word.name)) return kUsage;
    return entry.usage_code;
  }
  return kUsage;
}

// Returns: `code`, or kFailed when what was printed did not arrive: a script must not take a part for the
// whole.
int with_output_written(int code) {
  errno = 0;
  std::cout.flush();
  if (std::cout) return code;
  std::cerr << "error: standard output cannot be written"
            << (errno != 0 ? std::string(": ") + std::strerror(errno) : "") << "\n";
  return code == kOk ? kFailed : code;
}

int parse_and_act(CLI::App& app, int argc, char** argv, const std::function<int()>& chosen,
                  const GlobalOptions& globals) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    std::cerr << "error: " << usage_message(app, {argv + 1, argv + argc}, e);
    return usage_code(app);
  }
  return guarded(chosen, globals);
}

// The log obeys what everything else obeys.
void color_log(const GlobalOptions& globals) {
  using Sink = spdlog::sinks::stderr_color_sink_mt;
  auto* const sink = dynamic_cast<Sink*>(spdlog::default_logger()->sinks().front().get());
  RT_CHECK(sink);
  sink->set_color_mode(terminal_of(STDERR_FILENO, globals.color).color ? spdlog::color_mode::always
                                                                       : spdlog::color_mode::never);
}

int main(int argc, char** argv) {
  if (is_workers_own(argc, argv)) return serve_worker(argc, argv);
  spdlog::set_default_logger(spdlog::stderr_color_mt("ranktide"));  // data on stdout, messages on stderr
  CLI::App app("ranktide: run LoRA-versus-full finetuning sweeps; see what each setting learned and forgot",
               "ranktide");
  app.set_version_flag("--version", std::string("ranktide ") + kVersion);
  app.require_subcommand(1);
  GlobalOptions globals;
  std::function<int()> chosen;
  for (const Command& entry : commands()) add_command(app, entry, globals, chosen);
  const auto act = [&] {
    color_log(globals);
    return chosen();
  };
  return with_output_written(parse_and_act(app, argc, argv, act, globals));
}

}  // namespace
}  // namespace ranktide::cli

int main(int argc, char** argv) {
  return ranktide::cli::main(argc, argv);
}
