#include "coordinator/edge/query_models.h"

#include <algorithm>
#include <set>
#include <utility>
#include <variant>

#include "common/sweep/identity.h"
#include "coordinator/core/records.h"

namespace ranktide {
namespace {

// A model's files lie in its folder: those of a folder inside it are another model's, or data.
std::vector<InputFile> files_in(const Inputs& inputs, const std::string& root) {
  std::vector<InputFile> out;
  const std::string folder = root + "/";
  const auto& all = inputs.contents;
  for (auto it = all.lower_bound(folder); it != all.end() && it->first.starts_with(folder); ++it) {
    const std::string name = it->first.substr(folder.size());
    if (name.find('/') == std::string::npos) out.push_back({name, it->second.sha256, it->second.bytes});
  }
  return out;
}

// Keys came over the wire: one that is none names nothing.
std::set<std::string> roots_with(const Inputs& inputs, const std::string& sha256) {
  std::set<std::string> out;
  for (const auto& [key, model] : inputs.models) {
    if (model.base.text == sha256) out.insert(model.path);
    if (model.tokenizer_sha256 == sha256) out.insert(tokenizer_path(key, model.path));
  }
  out.erase("");
  return out;
}

bool is_same(const KnownModel& a, const KnownModel& b) {
  return a.root == b.root && std::equal(a.files.begin(), a.files.end(), b.files.begin(), b.files.end(),
                                        [](const InputFile& x, const InputFile& y) {
                                          return x.path == y.path && x.sha256 == y.sha256;
                                        });
}

void add_new(std::vector<KnownModel>& out, KnownModel found) {
  const bool is_told =
      std::any_of(out.begin(), out.end(), [&](const KnownModel& m) { return is_same(m, found); });
  const bool has_room = out.size() < kKnownModelsMax;
  if (!found.files.empty() && !is_told && has_room) out.push_back(std::move(found));
}

}  // namespace

// The hash stands in the journal's text as it is: a submission that does not have it is not even decoded.
std::vector<KnownModel> known_models(const Reader& reader, const std::string& sha256) {
  std::vector<KnownModel> out;
  reader.each("SELECT kind, body FROM record WHERE kind='SweepSubmitted' AND instr(body, ?1) ORDER BY seq DESC",
              {sha256}, [&](const std::vector<Value>& row) {
                const auto record = from_journal(std::get<std::string>(row[0]), std::get<std::string>(row[1]));
                const Inputs& inputs = std::get<SweepSubmitted>(record).spec.inputs;
                for (const std::string& root : roots_with(inputs, sha256))
                  add_new(out, {.root = root, .files = files_in(inputs, root)});
                return out.size() < kKnownModelsMax;
              });
  return out;
}

}  // namespace ranktide
