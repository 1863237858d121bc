// Hydra configurations and overrides.
#include "common/sweep/import/flow_text.h"
#include "common/sweep/import/foreign_file.h"
#include "common/sweep/import/foreign_value.h"
#include "common/sweep/import/hydra_override.h"

namespace ranktide {
namespace {

class HydraReader {
 public:
  explicit HydraReader(ImportDraft& draft) : draft_(draft), translator_(draft) {}

  // What the sweeper varies goes before the value that the configuration has for it.
  void read_configuration(const YamlNode& root) {
    if (const YamlNode* hydra = root.find("hydra")) read_hydra_section(*hydra);
    for (const auto& entry : root.entries) {
      if (entry.key == "hydra") continue;
      if (entry.key == "defaults")
        draft_.leave_out("defaults: " + flow_text(entry.value),
                         "other files are not read; import the configuration that `--cfg job` prints");
      else
        setting(entry.key, entry.value);
    }
    finish();
  }

  void read_overrides(const YamlNode& list) {
    for (const auto& item : list.items) {
      const size_t equals = item.text.find('=');
      if (item.text.starts_with('~'))
        draft_.pass_over(item.text);
      else if (!item.is_scalar() || equals == std::string::npos)
        draft_.leave_out(flow_text(item), "an override is key=value");
      else
        override_with(item.text.substr(0, equals), item.text.substr(equals + 1));
    }
    finish();
  }

 private:
  void read_hydra_section(const YamlNode& hydra) {
    for (const auto& entry : hydra.entries) {
      if (entry.key != "sweeper")
        draft_.leave_out("hydra." + entry.key + ": " + flow_text(entry.value), "how Hydra itself runs");
    }
    const YamlNode* sweeper = hydra.find("sweeper");
    if (!sweeper) return;
    for (const auto& entry : sweeper->entries) {
      if (entry.key == "params" || entry.key == "grid_params")
        params(entry.value);
      else if (entry.key == "n_trials")
        trials_ = flow_text(entry.value);
      else
        draft_.leave_out("hydra.sweeper." + entry.key + ": " + flow_text(entry.value),
                         "how Hydra itself sweeps");
    }
  }

  void params(const YamlNode& map) {
    for (const auto& entry : map.entries) {
      if (entry.value.is_scalar())
        override_with(entry.key, entry.value.text);
      else if (entry.value.is_list())
        translator_.axis(entry.key, entry.value.items, entry.key);
      else
        draft_.leave_out(entry.key + ": " + flow_text(entry.value),
                         "a search space as a map; write values or a range");
    }
  }

  void override_with(const std::string& key, const std::string& text) {
    const std::string origin = key + "=" + text;
    if (key.starts_with('~')) return draft_.pass_over(origin);
    const HydraValue value = read_hydra_value(text);
    if (!value.problem.empty()) return draft_.leave_out(origin, value.problem);
    if (value.range) {
      const auto twin = twin_key(key);
      const bool is_new = twin && !draft_.has(*twin);
      translator_.range(key, *value.range, origin);
      has_range_ = has_range_ || (is_new && draft_.has(*twin));
      return;
    }
    if (value.is_sweep) return translator_.axis(key, value.values, origin);
    translator_.constant(key, value.values.at(0));
  }

  void setting(const std::string& path, const YamlNode& node) {
    if (node.is_map() && !twin_takes_maps(path)) {
      for (const auto& entry : node.entries) setting(path + "." + entry.key, entry.value);
      return;
    }
    const std::string origin = path + ": " + flow_text(node);
    if (node.is_scalar() && node.text.find("${") != std::string::npos)
      return draft_.leave_out(origin,
                              "interpolations are not resolved; import what `--cfg job --resolve` prints");
    if (node.is_scalar() && node.text == "???") return draft_.leave_out(origin, "it has no value yet");
    const auto key = twin_key(path);
    if (key && draft_.has(*key)) return draft_.pass_over(origin + " (" + *key + " is given already)");
    translator_.constant(path, node);
  }

  static bool twin_takes_maps(const std::string& path) {
    return path == "data.fields" || path == "data.replay" || path == "eval.learn" || path == "eval.retain";
  }

  // A sweeper that draws says how often; values and ranges of a plain one are a grid.
  void finish() {
    translator_.finish();
    if (trials_)
      draft_.draw(trials_, "hydra.sweeper.n_trials");
    else if (has_range_)
      draft_.draw(std::nullopt, "there are intervals");
  }

  ImportDraft& draft_;
  Translator translator_;
  std::optional<std::string> trials_;
  bool has_range_ = false;
};

}  // namespace

void read_hydra(const YamlNode& root, const SourceText& source, ImportDraft& draft) {
  HydraReader reader(draft);
  if (root.is_list()) return reader.read_overrides(root);
  if (!root.is_map()) throw source.error(root, "a Hydra configuration is a map, or a list of overrides");
  reader.read_configuration(root);
}

}  // namespace ranktide
