#include "common/sweep/import/translator.h"

#include <algorithm>

#include "common/sweep/import/flow_text.h"
#include "common/sweep/import/foreign_value.h"
#include "common/sweep/scalar_text.h"
#include "common/sweep/settings.h"

namespace ranktide {
namespace {

std::string origin_of(const std::string& path, const YamlNode& value) {
  return path + ": " + flow_text(value);
}

std::string with_note(const std::string& origin, const std::string& note) {
  return note.empty() ? origin : origin + "; " + note;
}

std::string list_text(const std::vector<std::string>& values) {
  std::string out;
  for (const auto& value : values) out.append(out.empty() ? "" : ", ").append(value);
  return "[" + out + "]";
}

bool is_micro_batch(const std::string& word) {
  return word == "micro_batch_size" || word == "per_device_train_batch_size";
}

bool is_accumulation(const std::string& word) {
  return word == "gradient_accumulation_steps" || word == "accumulate_grad_batches" ||
         word == "grad_accum_steps";
}

std::string range_text(const ForeignRange& range) {
  const std::string min = settled_number(range.min), max = settled_number(range.max);
  if (range.is_log) return "{log: [" + min + ", " + max + "]}";
  return "{min: " + min + ", max: " + max + (range.step ? ", step: " + short_number(*range.step) : "") + "}";
}

}  // namespace

void Translator::constant(const std::string& path, const YamlNode& value) {
  const std::string origin = origin_of(path, value);
  if (value.kind != YamlNode::Kind::null && takes_part(path, {value}, origin)) return;
  const Translation translation = translated(path, value);
  if (const auto* none = std::get_if<NoTwin>(&translation)) return draft_.leave_out(origin, none->why);
  if (std::holds_alternative<SameHere>(translation)) return draft_.pass_over(origin);
  const Twin& twin = std::get<Twin>(translation);
  if (twin.key == "seeds") return draft_.set_seeds(twin.value, origin);
  draft_.set(twin.key, twin.value, with_note(origin, twin.note));
}

void Translator::axis(const std::string& path, const std::vector<YamlNode>& values, const std::string& origin) {
  if (takes_part(path, values, origin)) return;
  std::vector<std::string> texts;
  std::string key, note;
  for (const YamlNode& value : values) {
    const Translation translation = translated(path, value);
    if (const auto* twin = std::get_if<Twin>(&translation)) {
      key = twin->key;
      if (!twin->note.empty()) note = twin->note;
      if (std::find(texts.begin(), texts.end(), twin->value) == texts.end()) texts.push_back(twin->value);
      continue;
    }
    const auto* none = std::get_if<NoTwin>(&translation);
    draft_.leave_out(origin_of(path, value), none ? none->why : "it asks for nothing");
  }
  if (texts.empty()) return;
  if (key == "seeds") {
    std::string all;
    for (const auto& text : texts) all += (all.empty() ? "" : ", ") + text.substr(1, text.size() - 2);
    return draft_.set_seeds("[" + all + "]", origin);
  }
  // A list of modules could mean two things; {values: ...} means one trial each.
  const std::string list = list_text(texts);
  draft_.vary(key, key == "lora.target" ? "{values: " + list + "}" : list, with_note(origin, note));
}

void Translator::range(const std::string& path, const ForeignRange& range, const std::string& origin) {
  const auto key = twin_key(path);
  if (!key) return draft_.leave_out(origin, why_without_twin(path));
  const Setting* const setting = find_setting(*key);
  const bool has_range =
      setting && (setting->type == SettingType::count || setting->type == SettingType::number ||
                  setting->type == SettingType::share);
  if (!has_range || is_micro_batch(telling_part(path)))
    return draft_.leave_out(origin, *key + " takes no range; list the values that you mean");
  ForeignRange taken = range;
  if (range.is_whole && !range.step && setting->type != SettingType::count) taken.step = 1;
  draft_.vary(*key, range_text(taken), origin);
}

bool Translator::takes_part(const std::string& path, const std::vector<YamlNode>& values,
                            const std::string& origin) {
  const std::string word = telling_part(path);
  std::optional<Part>* const part = is_micro_batch(word)                      ? &micro_batch_
                                    : is_accumulation(word)                   ? &accumulation_
                                    : word == "adam_beta1" || word == "beta1" ? &beta1_
                                    : word == "adam_beta2" || word == "beta2" ? &beta2_
                                                                              : nullptr;
  if (!part) return false;
  *part = Part{{}, origin};
  for (const YamlNode& value : values) (*part)->values.push_back(value.text);
  return true;
}

void Translator::finish() {
  finish_batch();
  finish_betas();
}

// A step is what several devices do together there; here a trial has one.
void Translator::finish_batch() {
  if (!micro_batch_ && accumulation_)
    return draft_.leave_out(accumulation_->origin, "train.batch is the rows of a whole step");
  if (!micro_batch_) return;
  const std::string origin =
      micro_batch_->origin + (accumulation_ ? " x " + accumulation_->origin : "") + "; of one device";
  std::vector<std::string> products;
  for (const auto& micro : micro_batch_->values)
    for (const auto& times : accumulation_ ? accumulation_->values : std::vector<std::string>{"1"}) {
      const auto a = read_count(micro), b = read_count(times);
      if (!a || !b || *a < 1 || *b < 1 || *a > 1 << 20 || *b > 1 << 20)
        return draft_.leave_out(origin, "train.batch takes a whole number");
      const std::string product = std::to_string(*a * *b);
      if (std::find(products.begin(), products.end(), product) == products.end()) products.push_back(product);
    }
  if (products.size() == 1) return draft_.set("train.batch", products[0], origin);
  draft_.vary("train.batch", list_text(products), origin);
}

void Translator::finish_betas() {
  if (!beta1_ && !beta2_) return;
  const std::string key = "train.optimizer";
  const auto optimizer = draft_.constant(key);
  if (!(beta1_ && beta2_) && !optimizer && draft_.has(key))
    return draft_.leave_out((beta1_ ? beta1_ : beta2_)->origin,
                            "train.betas takes two, and the other one's default varies with " + key);
  SettingValues values;
  if (optimizer) values[key] = *optimizer;
  const Json usual = *default_value(*find_setting("train.betas"), values);
  const auto by_default = [&](size_t which) {
    return Part{{short_number(usual.at(which).get<double>())},
                "beta" + std::to_string(which + 1) + " by default"};
  };
  const Part first = beta1_ ? *beta1_ : by_default(0);
  const Part second = beta2_ ? *beta2_ : by_default(1);
  std::vector<std::string> pairs;
  for (const auto& a : first.values)
    for (const auto& b : second.values) pairs.push_back("[" + a + ", " + b + "]");
  const std::string origin = first.origin + ", " + second.origin;
  if (pairs.size() == 1) return draft_.set("train.betas", pairs[0], origin);
  draft_.vary("train.betas", list_text(pairs), origin);
}

}  // namespace ranktide
