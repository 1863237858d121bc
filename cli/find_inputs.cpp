#include "cli/find_inputs.h"

#include <CLI/CLI.hpp>

#include "worker/daemon/artifact_sender.h"
#include "worker/daemon/input_process.h"

namespace ranktide::cli {
namespace {

constexpr std::string_view kFindInputs = "find-inputs";
constexpr std::string_view kSendArtifacts = "send-artifacts";

}  // namespace

bool is_workers_own(int argc, char** argv) {
  return argc > 1 && (argv[1] == kFindInputs || argv[1] == kSendArtifacts);
}

int serve_worker(int argc, char** argv) {
  InputProcessConfig config;
  CLI::App app("started by a worker", argv[1]);
  app.add_option("--work-dir", config.work_folder)->required();
  app.add_option("--keys-dir", config.keys_folder)->required();
  app.add_option("--inputs-max", config.copies_bytes_max)->required();
  app.add_option("--artifacts-max", config.artifacts_bytes_max);
  app.add_option("--coordinator-key", config.coordinator_key)->required();
  app.add_option("--bulk", config.bulk_endpoint);
  try {
    app.parse(argc - 1, argv + 1);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  return argv[1] == kSendArtifacts ? send_artifacts(config) : serve_inputs(config);
}

}  // namespace ranktide::cli
