#include "common/content/manifest.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/vocabulary/hub_name.h"
#include "common/vocabulary/sha256.h"

namespace ranktide {
namespace {

constexpr size_t kNameBytesMax = 1024;
constexpr size_t kPartBytesMax = 255;

bool is_safe_part(std::string_view part) {
  const bool has_control = std::any_of(
      part.begin(), part.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  return !part.empty() && part != "." && part != ".." && part.size() <= kPartBytesMax && !has_control;
}

ManifestFile checked(const InputFile& file, size_t root_bytes) {
  const bool is_root = file.path.size() == root_bytes;
  ManifestFile out{.name = is_root ? "" : file.path.substr(root_bytes + 1),
                   .content = {file.sha256, file.bytes}};
  if (!is_root && !is_safe_name(out.name))
    throw ContentError("input " + file.path + ": not a name below its folder");
  if (!is_sha256_text(file.sha256) || file.bytes < 0)
    throw ContentError("input " + file.path + ": its hash or size is none");
  return out;
}

Manifest manifest_of(const std::vector<InputFile>& inputs, const std::string& root, bool is_complete) {
  Manifest out{.root = root, .is_complete = is_complete, .files = {}};
  if (root.empty()) return out;
  std::set<std::string> names;
  for (const InputFile& file : inputs) {
    const bool is_below =
        file.path.starts_with(root) && (file.path.size() == root.size() || file.path[root.size()] == '/');
    if (!is_below) continue;
    ManifestFile entry = checked(file, root.size());
    if (names.insert(entry.name).second) out.files.push_back(std::move(entry));
  }
  std::sort(out.files.begin(), out.files.end(), [](auto& a, auto& b) { return a.name < b.name; });
  if (names.contains("") && out.files.size() > 1)
    throw ContentError("input " + root + ": is a file and a folder at once");
  if (!out.files.empty() && !is_safe_part(out.base_name()))
    throw ContentError("input " + root + ": its last part is no name of a file");
  return out;
}

Manifest manifest_of_eval(const std::vector<InputFile>& inputs, const EvalSpec& spec) {
  for (const InputFile& file : inputs)
    if (file.path == spec.data && file.sha256 == spec.data_sha256) return manifest_of({file}, spec.data, true);
  return {.root = spec.data, .files = {}};
}

class ManifestList {
 public:
  void add(Manifest manifest) {
    const bool is_wanted = !manifest.files.empty() || is_hub_text(manifest.root);
    if (is_wanted && seen_.insert(manifest.root + "\n" + manifest.id()).second)
      out_.push_back(std::move(manifest));
  }
  std::vector<Manifest> take() { return std::move(out_); }

 private:
  std::set<std::string> seen_;
  std::vector<Manifest> out_;
};

// Of a path with several contents the first is the one that training means: a work lists those before evals.
void replace(std::string& path, const std::vector<PlacedInput>& placed) {
  const auto found =
      std::find_if(placed.begin(), placed.end(), [&](const auto& p) { return p.manifest.root == path; });
  if (found != placed.end()) path = found->path;
}

void replace(EvalSpec& spec, const std::vector<PlacedInput>& placed) {
  const auto found = std::find_if(placed.begin(), placed.end(), [&](const auto& p) {
    return p.manifest.root == spec.data && p.manifest.files.size() == 1 &&
           p.manifest.files.front().content.sha256 == spec.data_sha256;
  });
  if (found != placed.end()) spec.data = found->path;
}

}  // namespace

int64_t Manifest::bytes() const {
  int64_t out = 0;
  for (const ManifestFile& file : files) out += file.content.bytes;
  return out;
}

std::string Manifest::id() const {
  Sha256 all;
  all.update(base_name() + "\n");
  for (const ManifestFile& file : files) all.update(file.name + "\n" + file.content.sha256 + "\n");
  return all.hex();
}

std::string Manifest::base_name() const {
  if (const auto hub = hub_name_of(root)) return hub->repository.substr(hub->repository.rfind('/') + 1);
  return root.substr(root.rfind('/') + 1);
}

std::vector<Manifest> manifests_of(const Work& work) {
  ManifestList out;
  const auto add_model = [&](const ModelSettings& model) {
    out.add(manifest_of(work.inputs, model.path, false));
    if (!model.tokenizer.empty()) out.add(manifest_of(work.inputs, model.tokenizer, false));
  };
  add_model(work.model);
  if (work.kind == WorkKind::train && work.stage) {
    const TrialSettings& settings = work.stage->settings;
    add_model(settings.model);
    for (const DataSource& source : settings.data.train) out.add(manifest_of(work.inputs, source.path, true));
    if (settings.data.replay) out.add(manifest_of(work.inputs, settings.data.replay->path, true));
  }
  for (const EvalOrder& eval : work.evals) out.add(manifest_of_eval(work.inputs, eval.spec));
  return out.take();
}

Work relocated(Work work, const std::vector<PlacedInput>& placed) {
  const auto replace_model = [&](ModelSettings& model) {
    replace(model.path, placed);
    if (!model.tokenizer.empty()) replace(model.tokenizer, placed);
  };
  replace_model(work.model);
  if (work.stage) {
    replace_model(work.stage->settings.model);
    for (DataSource& source : work.stage->settings.data.train) replace(source.path, placed);
    if (auto& replay = work.stage->settings.data.replay) replace(replay->path, placed);
  }
  for (EvalOrder& eval : work.evals) replace(eval.spec, placed);
  return work;
}

bool is_sha256_text(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_safe_name(std::string_view name) {
  if (name.size() > kNameBytesMax) return false;
  for (;;) {
    const size_t slash = name.find('/');
    if (!is_safe_part(name.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    name.remove_prefix(slash + 1);
  }
}

}  // namespace ranktide
