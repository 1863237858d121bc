// `ranktide fetch`: what a finished trial left, its adapter or weights, in a folder of the user's.

#include <iostream>

#include "cli/artifact_copy.h"
#include "cli/command.h"
#include "cli/exit_codes.h"
#include "cli/results.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

namespace {

struct FetchOptions {
  std::string trial;
  std::string folder;
};

int fetch(const FetchOptions& options, const GlobalOptions& globals) {
  const Results results(globals);
  const std::string trial = full_trial_id(results, options.trial);
  const fs::path folder = options.folder.empty() ? trial.substr(0, 12) : options.folder;
  const Artifact artifact = results.artifact(trial, told_on_terminal(globals, "hashing"));
  copy_artifact(
      artifact,
      [&](const std::string& file, int64_t offset) { return results.artifact_piece(trial, file, offset); },
      folder, told_on_terminal(globals, "fetching"));
  if (globals.json) {
    Json out = to_json(artifact);
    out["folder"] = folder.string();
    std::cout << out.dump(2) << "\n";
    return kOk;
  }
  for (const ArtifactFile& file : artifact.files) std::cout << (folder / file.path).string() << "\n";
  return kOk;
}

}  // namespace

std::function<int()> setup_fetch(CLI::App& command, const GlobalOptions& globals) {
  const auto options = std::make_shared<FetchOptions>();
  command.add_option("trial", options->trial, "trial id, or any unique beginning of one")->required();
  command.add_option("-o,--output", options->folder,
                     "folder to copy into, made when absent; default: the trial's id");
  return [options, &globals] { return fetch(*options, globals); };
}

}  // namespace ranktide::cli
