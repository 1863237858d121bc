#pragma once
// Where a trainer keeps things, below the folder it is given. Several trainers of one worker may share them:
// what is written stands under the id of a stage or trial, which one trainer runs at a time.

#include <filesystem>
#include <stdexcept>

#include "common/vocabulary/ids.h"

namespace ranktide {

struct WorkFolders {
  std::filesystem::path checkpoints;  // <stage id>/..., as train/checkpoint.h writes them
  std::filesystem::path evals;        // <stage id>/<eval id>.json: results that a resumed attempt says again
  std::filesystem::path artifacts;    // <trial id>/: an adapter as PEFT, full weights as transformers read it;
                                      // with `keep: checkpoints` the newest of them as checkpoints/<step>/
  std::filesystem::path cache;        // tokenized data

  std::filesystem::path artifact_of(const TrialId& trial) const { return artifacts / trial.text; }
};

struct FolderError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Makes the folders. Throws: FolderError when one cannot be made or written to, with the reason.
WorkFolders make_work_folders(const std::filesystem::path& work_dir);

}  // namespace ranktide
