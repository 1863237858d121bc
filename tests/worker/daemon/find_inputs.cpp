// The processes beside the trainers, without the rest of `ranktide`:
//   find_inputs find-inputs|send-artifacts --work-dir=W --keys-dir=K --inputs-max=N --coordinator-key=KEY
//   [--artifacts-max=N] [--bulk ENDPOINT]

#include <cstdlib>
#include <string>

#include "worker/daemon/artifact_sender.h"
#include "worker/daemon/input_process.h"

int main(int argc, char** argv) {
  ranktide::InputProcessConfig config;
  for (int i = 2; i < argc; ++i) {
    const std::string word = argv[i];
    const std::string value = word.substr(word.find('=') + 1);
    if (word.starts_with("--work-dir=")) config.work_folder = value;
    if (word.starts_with("--keys-dir=")) config.keys_folder = value;
    if (word.starts_with("--inputs-max=")) config.copies_bytes_max = std::atoll(value.c_str());
    if (word.starts_with("--artifacts-max=")) config.artifacts_bytes_max = std::atoll(value.c_str());
    if (word.starts_with("--coordinator-key=")) config.coordinator_key = value;
    if (word == "--bulk" && i + 1 < argc) config.bulk_endpoint = argv[++i];
  }
  const bool sends = argc > 1 && std::string(argv[1]) == "send-artifacts";
  return sends ? ranktide::send_artifacts(config) : ranktide::serve_inputs(config);
}
