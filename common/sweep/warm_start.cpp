#include "common/sweep/warm_start.h"

#include <algorithm>

#include "common/sweep/identity.h"
#include "common/sweep/scalar_text.h"
#include "common/sweep/spec_error.h"

namespace ranktide {
namespace {

constexpr std::string_view kPrefix = "trial:";
constexpr size_t kIdDigits = 64;
constexpr size_t kStepDigitsMax = 15;

bool is_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::optional<Step> step_in(std::string_view text) {
  const bool is_number = !text.empty() && text.size() <= kStepDigitsMax && text[0] != '0' &&
                         text.find_first_not_of("0123456789") == std::string_view::npos;
  return is_number ? std::optional<Step>(std::stoll(std::string(text))) : std::nullopt;
}

[[noreturn]] void refuse(const TrialSettings& settings, const std::string& why) {
  throw SpecError(std::string(kSourceKey) + ": " + settings.model.from + " " + why);
}

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : ", ") + part;
  return out;
}

// An adapter goes on as it is: what shapes it, or scales it, has to be the same.
std::vector<std::string> shape_of_adapter(const LoraSettings& own, const LoraSettings& source) {
  std::vector<std::string> out;
  if (own.rank != source.rank) out.push_back("lora.rank: " + std::to_string(source.rank));
  if (own.alpha != source.alpha) out.push_back("lora.alpha: " + short_number(source.alpha));
  if (own.scaling != source.scaling) out.push_back("lora.scaling: " + std::string(text_of(source.scaling)));
  if (own.target == source.target) return out;
  std::string target;
  for (const std::string& module : source.target) target += (target.empty() ? "" : "+") + module;
  out.push_back("lora.target: " + target);
  return out;
}

void check_step(const TrialSettings& settings, const SourceInput& source) {
  const auto name = source_name_of(settings.model.from);
  if (!name || !name->step || *name->step == source.step) return;
  refuse(settings, "names a step whose weights are not kept: a trial leaves those of its last step, " +
                       std::to_string(source.step) + "; write @" + std::to_string(source.step) +
                       ", or no step");
}

void check_model(const TrialSettings& settings, const ModelInput& model, const SourceInput& source) {
  if (source.base != model.base)
    refuse(settings, "was trained from base " + source.base.brief() + ", and " + settings.model.path +
                         " is base " + model.base.brief() + "; name the model that it was trained from");
  if (source.tokenizer_sha256 != model.tokenizer_sha256)
    refuse(settings, "was trained with another tokenizer; name the same as model.tokenizer");
  if (source.dtype != settings.model.dtype)
    refuse(settings,
           "was trained with other products; write model.dtype: " + std::string(text_of(source.dtype)));
}

void check_method(const TrialSettings& settings, const SourceInput& source) {
  if (source.method == Method::full) return;  // its weights are a base like any other
  if (settings.method == Method::full)
    refuse(settings,
           "left an adapter, and full finetuning starts from full weights; write method: lora, or name "
           "a trial of method: full");
  const auto others =
      shape_of_adapter(settings.lora.value_or(LoraSettings{}), source.lora.value_or(LoraSettings{}));
  if (!others.empty()) refuse(settings, "left an adapter of another shape; write " + joined(others));
}

}  // namespace

std::optional<SourceName> source_name_of(std::string_view text) {
  if (!text.starts_with(kPrefix)) return std::nullopt;
  text.remove_prefix(kPrefix.size());
  const size_t at = text.find('@');
  const std::string_view id = text.substr(0, at);
  if (id.empty() || id.size() > kIdDigits || !is_hex(id)) return std::nullopt;
  SourceName out{.id = std::string(id), .step = {}};
  if (at == std::string_view::npos) return out;
  out.step = step_in(text.substr(at + 1));
  return out.step ? std::optional(out) : std::nullopt;
}

std::string source_text(const TrialId& trial, Step step) {
  return std::string(kPrefix) + trial.text + "@" + std::to_string(step);
}

bool names_source(const Block& block) {
  const auto sets = [](const SettingValues& values) { return values.contains(kSourceKey); };
  const auto any_sets = [&](const std::vector<AxisPoint>& points) {
    return std::any_of(points.begin(), points.end(), [&](const AxisPoint& point) { return sets(point.set); });
  };
  return sets(block.constants) || block.derive.contains(kSourceKey) ||
         std::any_of(block.axes.begin(), block.axes.end(),
                     [&](const Axis& axis) { return any_sets(axis.points); }) ||
         std::any_of(block.include.begin(), block.include.end(),
                     [&](const IncludedCell& cell) { return any_sets(cell.points); });
}

std::optional<WarmStart> start_of(const TrialSettings& settings, const Inputs& inputs) {
  const auto found = inputs.sources.find(settings.model.from);
  if (settings.model.from.empty() || found == inputs.sources.end()) return std::nullopt;
  const SourceInput& source = found->second;
  check_step(settings, source);
  const auto model = inputs.models.find(model_key(settings.model));
  if (model != inputs.models.end()) check_model(settings, model->second, source);
  check_method(settings, source);
  const bool is_full = source.method == Method::full;
  return WarmStart{.trial = source.trial,
                   .stage = source.stage,
                   .step = source.step,
                   .method = source.method,
                   .weights = is_full ? std::optional(source.trial) : source.weights};
}

}  // namespace ranktide
