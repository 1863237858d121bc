#include "worker/trainer/program/artifact.h"

#include "worker/trainer/program/weight_delta.h"
#include "worker/trainer/train/checkpoint.h"

namespace ranktide {
namespace fs = std::filesystem;
namespace {

bool is_kept(Method method, Keep keep) {
  if (method == Method::lora) return keep != Keep::none;
  return keep == Keep::weights || keep == Keep::delta || keep == Keep::checkpoints;
}

// Returns: where an adapter's weights lie that are not the model's own: whoever loads it on those by mistake
// would get numbers, and wrong ones.
fs::path base_named(const Stage& stage, const fs::path& artifacts) {
  return stage.start && stage.start->weights ? artifacts / stage.start->weights->text : fs::path();
}

void write_artifact(const Model& model, const Stage& stage, Keep keep, const fs::path& folder) {
  if (stage.settings.method == Method::lora) return model.save(folder, base_named(stage, folder.parent_path()));
  if (keep != Keep::delta) return model.save(folder);
  fs::create_directories(folder);
  write_weight_delta(model, stage.base, folder);
}

// The files stay where they are under a second name, so that they cost no room until the others go.
void link_checkpoints(const std::vector<fs::path>& checkpoints, const fs::path& folder) {
  for (const fs::path& checkpoint : checkpoints) {
    const fs::path place = folder / checkpoint.filename();
    if (fs::exists(place)) continue;  // of an earlier attempt
    fs::create_directories(place);
    for (const auto& file : fs::directory_iterator(checkpoint))
      fs::create_hard_link(file.path(), place / file.path().filename());
    sync_to_disk(place);
  }
  if (!checkpoints.empty()) sync_to_disk(folder);
}

}  // namespace

void keep_artifact(const Model& model, const Stage& stage, Keep keep, const std::vector<fs::path>& checkpoints,
                   const fs::path& folder) {
  if (!is_kept(stage.settings.method, keep)) return;
  const fs::path unfinished = folder.string() + ".part";
  fs::remove_all(unfinished);  // of an attempt that was killed here
  write_artifact(model, stage, keep, unfinished);
  for (const auto& entry : fs::directory_iterator(unfinished)) sync_to_disk(entry.path());
  if (keep == Keep::checkpoints) link_checkpoints(checkpoints, unfinished / "checkpoints");
  sync_to_disk(unfinished);
  fs::remove_all(folder);
  fs::rename(unfinished, folder);
  sync_to_disk(folder.parent_path());  // the stage is reported completed next, and its checkpoints go
}

}  // namespace ranktide
