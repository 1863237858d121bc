// axolotl configurations, and files for its --sweep.
#include <algorithm>

#include "common/sweep/import/flow_text.h"
#include "common/sweep/import/foreign_file.h"
#include "common/sweep/import/foreign_value.h"
#include "common/sweep/import/translator.h"
#include "common/sweep/setting_check.h"

namespace ranktide {
namespace {

// What a type of data set is here.
struct RowsOfType {
  std::string_view type;
  const char* format;
  const char* fields;  // empty: found by themselves
  std::string_view remark;
};

constexpr RowsOfType kRowTypes[] = {
    {"alpaca", "prompt", "{prompt: instruction, completion: output}",
     "rows have one prompt here: where `input` is not empty, join it to the instruction first"},
    {"chat_template", "messages", "", ""},
    {"sharegpt", "messages", "",
     "rows are {messages: [{role, content}]} here; rename the fields of a conversation"},
    {"completion", "text", "", ""},
    {"pretrain", "text", "", ""},
    {"input_output", "", "", "segments with labels of their own have no twin"},
};

class AxolotlReader {
 public:
  explicit AxolotlReader(ImportDraft& draft) : draft_(draft), translator_(draft) {}

  void read(const YamlNode& root) {
    const bool is_training = root.find("base_model") != nullptr;
    for (const auto& entry : root.entries) setting(entry);
    translator_.finish();
    if (is_training) their_defaults(root);
  }

 private:
  static std::string origin_of(const YamlEntry& entry) { return entry.key + ": " + flow_text(entry.value); }

  void setting(const YamlEntry& entry) {
    const YamlNode& value = entry.value;
    if (entry.key == "_") return rows(value);
    if (value.kind == YamlNode::Kind::null) return;  // not set
    if (entry.key == "datasets") return datasets(value);
    if (entry.key == "lora_target_linear") return target_linear(entry);
    if (entry.key == "chat_template")
      return draft_.leave_out(origin_of(entry),
                              "the tokenizer's own is taken; data.template: chat asks for it");
    if (is_sweep_list(entry)) return translator_.axis(entry.key, value.items, entry.key);
    if (value.is_map()) return draft_.leave_out(origin_of(entry), why_without_twin(entry.key));
    translator_.constant(entry.key, value);
  }

  // A list of modules is one value there; a list of anything that is one value here is an axis.
  static bool is_sweep_list(const YamlEntry& entry) {
    if (!entry.value.is_list() || entry.value.items.empty() || !twin_key(entry.key)) return false;
    return *twin_key(entry.key) != "lora.target" || entry.value.items[0].is_list();
  }

  void rows(const YamlNode& list) {
    for (const auto& item : list.items) {
      std::vector<std::pair<std::string, std::string>> values;
      for (const auto& entry : item.entries) {
        const Translation translation = translated(entry.key, entry.value);
        if (const auto* twin = std::get_if<Twin>(&translation))
          values.emplace_back(twin->key, twin->value);
        else if (const auto* none = std::get_if<NoTwin>(&translation))
          draft_.leave_out("_: " + origin_of(entry), none->why);
      }
      if (!values.empty()) draft_.add_row(values, "_: " + flow_text(item));
    }
  }

  void target_linear(const YamlEntry& entry) {
    if (entry.value.text != "true") return draft_.pass_over(origin_of(entry));
    draft_.set("lora.target", "all", origin_of(entry));
  }

  void datasets(const YamlNode& list) {
    std::vector<std::string> paths;
    for (const auto& item : list.items) {
      const YamlNode* path = item.find("path");
      const Translation translation =
          path ? translated("data_path", *path) : Translation{NoTwin{"it has no path"}};
      if (const auto* twin = std::get_if<Twin>(&translation))
        paths.push_back(twin->value);
      else if (const auto* none = std::get_if<NoTwin>(&translation))
        draft_.leave_out("datasets: " + flow_text(item), none->why);
      rest_of_dataset(item);
    }
    if (paths.size() == 1) draft_.set("data.train", paths[0], "datasets");
    if (paths.size() > 1) draft_.set("data.train", list_of(paths), "datasets");
    rows_of_type(list);
  }

  static std::string list_of(const std::vector<std::string>& paths) {
    std::string out;
    for (const auto& path : paths) out += (out.empty() ? "" : ", ") + path;
    return "[" + out + "]";
  }

  void rest_of_dataset(const YamlNode& item) {
    for (const auto& entry : item.entries) {
      const bool is_read = entry.key == "path" || entry.key == "type" || entry.key == "field_messages" ||
                           entry.key == "field" || entry.value.kind == YamlNode::Kind::null;
      if (!is_read)
        draft_.leave_out("datasets." + origin_of(entry), entry.key == "ds_type"
                                                             ? "a file's ending says its kind"
                                                             : "data files are taken whole, as they are");
    }
  }

  // The rows of all files have one form here.
  void rows_of_type(const YamlNode& list) {
    const YamlNode* first = list.items.empty() ? nullptr : list.items[0].find("type");
    if (!first) return;
    for (const auto& item : list.items) {
      const YamlNode* type = item.find("type");
      if (!type || flow_text(*type) != flow_text(*first))
        return draft_.leave_out("datasets: types differ",
                                "rows of all files have one form (data.format, data.fields)");
    }
    const std::string word = first->text.substr(0, first->text.find('.'));
    const auto known =
        std::find_if(std::begin(kRowTypes), std::end(kRowTypes), [&](auto& t) { return t.type == word; });
    const std::string origin = "datasets.type: " + flow_text(*first);
    if (!first->is_scalar() || known == std::end(kRowTypes))
      return draft_.leave_out(origin, "say what the rows are: data.format, data.fields, data.template");
    if (known->format[0] != '\0') draft_.set("data.format", known->format, origin);
    if (known->fields[0] != '\0') draft_.set("data.fields", known->fields, origin);
    if (!known->remark.empty()) draft_.leave_out(origin, std::string(known->remark));
    named_field(list.items[0], "field_messages", "messages");
    named_field(list.items[0], "field", "text");
  }

  void named_field(const YamlNode& dataset, const char* theirs, const std::string& ours) {
    if (const YamlNode* field = dataset.find(theirs))
      draft_.set("data.fields", "{" + ours + ": " + flow_text(*field) + "}", std::string("datasets.") + theirs);
  }

  // Where nothing is said there and something else holds here.
  void their_defaults(const YamlNode& root) {
    const auto is_set = [&](const char* key) {
      const YamlNode* node = root.find(key);
      return node && node->kind != YamlNode::Kind::null;
    };
    const auto by_default = [&](const std::string& key, const std::string& value) {
      if (!draft_.has(key)) draft_.set(key, value, "axolotl's default");
    };
    if (!is_set("adapter")) draft_.set("method", "full", "adapter: none");
    by_default("data.packing", "false");
    by_default("data.max_tokens", "512");
    by_default("train.warmup", "3%");
    const YamlNode* schedule = root.find("lr_scheduler");
    if (!schedule || schedule->text == "cosine") by_default("train.final_lr", "0");
  }

  ImportDraft& draft_;
  Translator translator_;
};

}  // namespace

void read_axolotl(const YamlNode& root, const SourceText& source, ImportDraft& draft) {
  if (!root.is_map()) throw source.error(root, "an axolotl configuration is a map of settings");
  AxolotlReader(draft).read(root);
}

}  // namespace ranktide
