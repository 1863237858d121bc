// `ranktide query`: results by any axis, and one row per trial with --trials.

#include <iostream>

#include "cli/command.h"
#include "cli/exit_codes.h"
#include "cli/results.h"
#include "cli/selection_options.h"

namespace ranktide::cli {
namespace {

struct QueryOptions {
  QueryRequest request;
  std::string format = "table";
  bool trials = false;
};

int run_query(const QueryOptions& options, const GlobalOptions& globals) {
  QueryRequest request = options.request;
  if (options.trials) request.rows = QueryRows::trials;
  const std::string format = globals.json ? "json" : options.format;
  std::cout << Results(globals).query(request, format);
  return kOk;
}

}  // namespace

std::function<int()> setup_query(CLI::App& command, const GlobalOptions& globals) {
  const auto options = std::make_shared<QueryOptions>();
  command.add_option("sweep", options->request.sweeps, "names of sweeps")->required();
  command
      .add_option("--by", options->request.by,
                  "axes to group by: method,rank,target,lr,regime, any label or setting")
      ->delimiter(',');
  command.add_option("--where", options->request.where,
                     "expression over settings: 'method = lora and rank >= 16'");
  command
      .add_option("--metric", options->request.metrics,
                  "learning, gain, retained, forgetting, tokens, seconds, memory or an eval's name")
      ->delimiter(',');
  command.add_option(
      "--vs", options->request.vs,
      "differences to the rows for which this holds: method=full; seed by seed where three are common");
  add_selection_options(command, options->request);
  command.add_option("--format", options->format, "table, csv, json, jsonl or md")
      ->check(CLI::IsMember({"table", "csv", "json", "jsonl", "md"}));
  command.add_flag("--trials", options->trials, "one row per trial, with its state and artifacts folder");
  return [options, &globals] { return run_query(*options, globals); };
}

}  // namespace ranktide::cli
