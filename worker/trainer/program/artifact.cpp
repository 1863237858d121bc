#include "worker/trainer/program/artifact.h"

#include "worker/trainer/program/work_inputs.h"
#include "worker/trainer/train/checkpoint.h"

namespace ranktide {
namespace fs = std::filesystem;
namespace {

bool is_kept(Method method, Keep keep) {
  if (method == Method::lora) return keep != Keep::none;
  return keep == Keep::weights || keep == Keep::checkpoints;
}

}  // namespace

void require_keepable(Method method, Keep keep) {
  if (method == Method::full && keep == Keep::delta)
    throw WorkError("run.keep: delta is not implemented for full finetuning; use weights");
}

void keep_artifact(const Model& model, Method method, Keep keep, const fs::path& folder) {
  if (!is_kept(method, keep)) return;
  const fs::path unfinished = folder.string() + ".part";
  fs::remove_all(unfinished);  // of an attempt that was killed here
  model.save(unfinished);
  for (const auto& entry : fs::directory_iterator(unfinished)) sync_to_disk(entry.path());
  sync_to_disk(unfinished);
  fs::remove_all(folder);
  fs::rename(unfinished, folder);
  sync_to_disk(folder.parent_path());  // the stage is reported completed next, and its checkpoints go
}

}  // namespace ranktide
