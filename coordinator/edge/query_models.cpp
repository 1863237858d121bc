#include "coordinator/edge/query_models.h"

#include <algorithm>
#include <set>
#include <utility>
#include <variant>

#include "common/sweep/identity.h"
#include "coordinator/core/records.h"

namespace ranktide {
namespace {

std::vector<InputFile> files_below(const Inputs& inputs, const std::string& root) {
  std::vector<InputFile> out;
  const std::string folder = root + "/";
  const auto& all = inputs.contents;
  for (auto it = all.lower_bound(folder); it != all.end() && it->first.starts_with(folder); ++it)
    out.push_back({it->first.substr(folder.size()), it->second.sha256, it->second.bytes});
  return out;
}

// Keys came over the wire: one that is none names nothing.
std::set<std::string> roots_with(const Inputs& inputs, const std::string& sha256) {
  std::set<std::string> out;
  for (const auto& [key, model] : inputs.models) {
    if (model.base.text == sha256) out.insert(model.path);
    if (model.tokenizer_sha256 == sha256) out.insert(tokenizer_path(key, model.path));
  }
  return out;
}

bool is_same(const KnownModel& a, const KnownModel& b) {
  return a.root == b.root && std::equal(a.files.begin(), a.files.end(), b.files.begin(), b.files.end(),
                                        [](const InputFile& x, const InputFile& y) {
                                          return x.path == y.path && x.sha256 == y.sha256;
                                        });
}

}  // namespace

std::vector<KnownModel> known_models(const Reader& reader, const std::string& sha256) {
  std::vector<KnownModel> out;
  for (const auto& row :
       reader.select("SELECT kind, body FROM record WHERE kind='SweepSubmitted' ORDER BY seq DESC").rows) {
    const auto record = from_journal(std::get<std::string>(row[0]), std::get<std::string>(row[1]));
    const Inputs& inputs = std::get<SweepSubmitted>(record).spec.inputs;
    for (const std::string& root : roots_with(inputs, sha256)) {
      KnownModel found{.root = root, .files = files_below(inputs, root)};
      const bool is_told =
          std::any_of(out.begin(), out.end(), [&](const KnownModel& m) { return is_same(m, found); });
      if (!found.files.empty() && !is_told) out.push_back(std::move(found));
      if (out.size() == kKnownModelsMax) return out;
    }
  }
  return out;
}

}  // namespace ranktide
