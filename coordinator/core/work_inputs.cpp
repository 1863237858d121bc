#include "coordinator/core/work_inputs.h"

#include <set>
#include <utility>

namespace ranktide {
namespace {

using Contents = std::map<std::string, FileContent>;

constexpr size_t kBytesBesideNames = 96;  // of one file in a message: its hash, its size and the field names

std::vector<InputFile> files_of(const Contents& contents, const std::string& root) {
  std::vector<InputFile> out;
  const auto add = [&](const Contents::value_type& entry) {
    out.push_back({entry.first, entry.second.sha256, entry.second.bytes});
  };
  if (const auto file = contents.find(root); file != contents.end()) add(*file);
  const std::string folder = root + "/";
  for (auto it = contents.lower_bound(folder); it != contents.end() && it->first.starts_with(folder); ++it)
    add(*it);
  return out;
}

// Whole folders or nothing: half of a model helps nobody.
class InputList {
 public:
  void add(const std::vector<InputFile>& files) {
    size_t bytes = 0;
    for (const InputFile& file : files) bytes += file.path.size() + kBytesBesideNames;
    if (bytes_ + bytes > kWorkInputsBytesMax) return;
    bytes_ += bytes;
    for (const InputFile& file : files)
      if (seen_.emplace(file.path, file.sha256).second) files_.push_back(file);
  }
  std::vector<InputFile> take() { return std::move(files_); }

 private:
  size_t bytes_ = 0;
  std::set<std::pair<std::string, std::string>> seen_;
  std::vector<InputFile> files_;
};

std::vector<std::string> roots_of(const Work& work) {
  std::vector<std::string> out{work.model.path};
  if (!work.model.tokenizer.empty()) out.push_back(work.model.tokenizer);
  if (work.kind != WorkKind::train || !work.stage) return out;
  for (const DataSource& source : work.stage->settings.data.train) out.push_back(source.path);
  if (const auto& replay = work.stage->settings.data.replay) out.push_back(replay->path);
  return out;
}

}  // namespace

// Model and data of one unit are the same content to every sweep that wants it: its id says so. An eval file
// may have changed between two sweeps at one path, so it is looked for by its hash too.
std::vector<InputFile> inputs_of(const State& state, const Unit& unit, const Work& work) {
  std::vector<const Contents*> known;
  for (const auto& [number, place] : unit.wanted)
    known.push_back(&state.sweeps().at(number).grid.spec().inputs.contents);
  InputList out;
  for (const std::string& root : roots_of(work)) {
    for (const Contents* contents : known) {
      const std::vector<InputFile> files = files_of(*contents, root);
      out.add(files);
      if (!files.empty()) break;
    }
  }
  for (const EvalOrder& eval : work.evals) {
    for (const Contents* contents : known) {
      const auto file = contents->find(eval.spec.data);
      if (file == contents->end() || file->second.sha256 != eval.spec.data_sha256) continue;
      out.add({{file->first, file->second.sha256, file->second.bytes}});
      break;
    }
  }
  return out.take();
}

}  // namespace ranktide
