#include "cli/find_inputs.h"

#include <CLI/CLI.hpp>

#include "worker/daemon/input_process.h"

namespace ranktide::cli {

int find_inputs(int argc, char** argv) {
  InputProcessConfig config;
  CLI::App app("started by a worker", std::string(kFindInputs));
  app.add_option("--work-dir", config.work_folder)->required();
  app.add_option("--keys-dir", config.keys_folder)->required();
  app.add_option("--inputs-max", config.copies_bytes_max)->required();
  app.add_option("--coordinator-key", config.coordinator_key)->required();
  app.add_option("--bulk", config.bulk_endpoint);
  try {
    app.parse(argc - 1, argv + 1);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  return serve_inputs(config);
}

}  // namespace ranktide::cli
