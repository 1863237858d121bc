// W&B sweep configurations.
#include <cmath>
#include <optional>

#include "common/sweep/import/flow_text.h"
#include "common/sweep/import/foreign_file.h"
#include "common/sweep/import/translator.h"
#include "common/sweep/scalar_text.h"

namespace ranktide {
namespace {

class WandbReader {
 public:
  explicit WandbReader(ImportDraft& draft) : draft_(draft), translator_(draft) {}

  void read(const YamlNode& root) {
    const YamlNode* method = root.find("method");
    is_grid_ = method && method->text == "grid";
    for (const auto& entry : root.entries) top(entry);
    translator_.finish();
    if (!is_grid_) draw(method, root.find("run_cap"));
  }

 private:
  static std::string origin_of(const std::string& path, const YamlNode& node) {
    return path + ": " + flow_text(node);
  }

  void top(const YamlEntry& entry) {
    const std::string origin = origin_of(entry.key, entry.value);
    if (entry.key == "name" && entry.value.is_scalar()) return draft_.rename(entry.value.text);
    if (entry.key == "parameters") return parameters("", entry.value);
    if (entry.key == "method") return method(entry.value.text, origin);
    if (entry.key == "run_cap") return run_cap(origin);
    if (entry.key == "early_terminate") return draft_.leave_out(origin, why_not_stopped(entry.value));
    draft_.leave_out(origin, why(entry.key));
  }

  void method(const std::string& word, const std::string& origin) {
    if (!is_grid_ && word != "random")
      draft_.leave_out(origin, "cells are a grid or drawn at random; written as drawn at random");
    if (is_grid_) draft_.pass_over(origin);
  }

  void run_cap(const std::string& origin) {
    if (is_grid_) draft_.leave_out(origin, "a grid runs whole; search: {random: N} draws N of its cells");
  }

  // Not the same: there a rung is so many reports of a script, and any run is compared with any other.
  static std::string why_not_stopped(const YamlNode& policy) {
    const std::string all_run = "trials run to the end of their budget";
    const YamlNode* type = policy.find("type");
    if (!type || type->text != "hyperband") return all_run;
    const YamlNode* eta = policy.find("eta");
    const auto by = eta ? read_count(eta->text) : std::nullopt;
    return all_run + "; nearest is run.stop_early: {by: EVAL" +
           (by && *by >= 2 ? ", eta: " + std::to_string(*by) : "") +
           "}, among the values that `tune` names; its first rung is a share of the budget (`first`)";
  }

  static std::string why(const std::string& key) {
    if (key == "metric") return "every metric is kept; `ranktide query` ranks by one, `tune` takes the best";
    if (key == "program" || key == "command") return "ranktide trains by itself and runs no script";
    if (key == "project" || key == "entity" || key == "description") return "a sweep has a name alone";
    return "there is no such setting";
  }

  void parameters(const std::string& prefix, const YamlNode& map) {
    for (const auto& entry : map.entries) {
      const std::string path = prefix + entry.key;
      if (const YamlNode* inner = entry.value.find("parameters"))
        parameters(path + ".", *inner);
      else
        parameter(path, entry.value);
    }
  }

  void parameter(const std::string& path, const YamlNode& node) {
    const std::string origin = origin_of(path, node);
    if (const YamlNode* value = node.find("value")) return translator_.constant(path, *value);
    if (const YamlNode* values = node.find("values"); values && values->is_list()) {
      translator_.axis(path, values->items, path);
      if (const YamlNode* shares = node.find("probabilities"))
        draft_.leave_out(origin_of(path + ".probabilities", *shares), "values are equally likely");
      return;
    }
    if (const auto range = range_of(node)) return translator_.range(path, *range, origin);
    draft_.leave_out(origin, is_grid_ && node.find("min")
                                 ? "a grid needs values, or whole numbers between min and max"
                                 : "its distribution has no twin; write values, {min, max} or "
                                   "{log: [from, to]}");
  }

  static std::optional<double> number(const YamlNode& node, const char* word) {
    const YamlNode* value = node.find(word);
    return value && value->is_scalar() ? read_number(value->text) : std::nullopt;
  }

  // Without a distribution two whole ends are whole numbers, as there.
  static std::string distribution_of(const YamlNode& node) {
    if (const YamlNode* distribution = node.find("distribution")) return distribution->text;
    const YamlNode *min = node.find("min"), *max = node.find("max");
    return min && max && read_count(min->text) && read_count(max->text) ? "int_uniform" : "uniform";
  }

  std::optional<ForeignRange> range_of(const YamlNode& node) const {
    const auto min = number(node, "min"), max = number(node, "max"), q = number(node, "q");
    std::string kind = distribution_of(node);
    const bool has_steps = kind.starts_with("q_");
    if (has_steps) kind = kind.substr(2);
    if (!min || !max) return std::nullopt;
    ForeignRange out{.min = *min, .max = *max, .is_whole = kind == "int_uniform"};
    if (kind == "uniform" || kind == "int_uniform") {
      if (has_steps) out.step = q.value_or(1);
      if (kind == "int_uniform" && is_grid_ && !has_steps) out.step = 1;
      if (is_grid_ && !out.step) return std::nullopt;
      return out;
    }
    out.is_log = true;
    if (is_grid_) return std::nullopt;
    if (kind == "log_uniform_values" || kind == "inv_log_uniform_values") return out;
    if (kind != "log_uniform" && kind != "inv_log_uniform") return std::nullopt;
    // Exponents of e; the inverse one draws the same values from the other side.
    const double sign = kind == "log_uniform" ? 1 : -1;
    out.min = std::exp(sign > 0 ? *min : -*max);
    out.max = std::exp(sign > 0 ? *max : -*min);
    return out;
  }

  void draw(const YamlNode* method, const YamlNode* run_cap) {
    const std::string origin = method ? "method: " + flow_text(*method) : "method: random by default";
    if (run_cap)
      draft_.draw(flow_text(*run_cap), origin + ", run_cap: " + flow_text(*run_cap));
    else
      draft_.draw(std::nullopt, origin + " without a run_cap");
  }

  ImportDraft& draft_;
  Translator translator_;
  bool is_grid_ = false;
};

}  // namespace

void read_wandb(const YamlNode& root, const SourceText& source, ImportDraft& draft) {
  const YamlNode* parameters = root.find("parameters");
  if (!parameters || !parameters->is_map())
    throw source.error(root, "a W&B sweep configuration has parameters: a map of names; there is none");
  WandbReader(draft).read(root);
}

}  // namespace ranktide
