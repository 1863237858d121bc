// The weight files of a model folder: one file, or shards with an index.
#include <fstream>
#include <set>
#include <sstream>

#include "common/model/safetensors.h"
#include "common/vocabulary/wire.h"

namespace ranktide {
namespace {

using Index = std::map<std::string, std::string>;  // tensor -> shard

Index read_index(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  Index index;
  try {
    const Json json = parse_json(text.str());
    read_json(json.at("weight_map"), index, "weight_map");
  } catch (const std::exception& e) {
    throw ModelError(path.string() + ": not a valid shard index: " + e.what());
  }
  // Shards stand beside their index: a name that leads elsewhere is not followed.
  for (const auto& [tensor, shard] : index)
    if (shard.empty() || shard.find('/') != std::string::npos)
      throw ModelError(path.string() + ": shard \"" + shard + "\" is not a plain file name");
  if (index.empty()) throw ModelError(path.string() + ": names no shards");
  return index;
}

void check_against_index(const std::filesystem::path& path, const Index& index,
                         const std::map<std::string, TensorView>& views) {
  for (const auto& [tensor, shard] : index)
    if (!views.contains(tensor))
      throw ModelError(path.string() + ": tensor \"" + tensor + "\" is not in " + shard);
  for (const auto& [tensor, view] : views)
    if (!index.contains(tensor))
      throw ModelError(path.string() + ": does not name the tensor \"" + tensor + "\"");
}

}  // namespace

std::vector<std::filesystem::path> weight_paths(const std::filesystem::path& folder) {
  const auto single = folder / "model.safetensors";
  if (std::filesystem::exists(single)) return {single};
  const auto index_path = folder / "model.safetensors.index.json";
  if (!std::filesystem::exists(index_path))
    throw ModelError(folder.string() +
                     ": has neither model.safetensors nor model.safetensors.index.json; other weight "
                     "formats (*.bin, *.gguf) must be converted first");
  std::set<std::filesystem::path> shards;
  for (const auto& [tensor, shard] : read_index(index_path)) shards.insert(folder / shard);
  return {shards.begin(), shards.end()};
}

WeightFiles::WeightFiles(const std::filesystem::path& folder) : paths_(weight_paths(folder)) {
  for (const auto& path : paths_) files_.emplace_back(path);
  for (size_t i = 0; i < files_.size(); ++i)
    for (const auto& [name, view] : files_[i].tensors())
      if (!views_.emplace(name, view).second)
        throw ModelError(paths_[i].string() + ": tensor \"" + name + "\" is in another shard too");
  const auto index_path = folder / "model.safetensors.index.json";
  if (paths_.front().filename() != "model.safetensors")
    check_against_index(index_path, read_index(index_path), views_);
}

const TensorView* WeightFiles::find(const std::string& name) const {
  const auto found = views_.find(name);
  return found == views_.end() ? nullptr : &found->second;
}

}  // namespace ranktide
