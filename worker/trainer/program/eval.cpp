// `eval`: the window on evaluation, item by item.

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "common/vocabulary/wire.h"
#include "worker/trainer/eval/evaluate.h"
#include "worker/trainer/program/command.h"
#include "worker/trainer/program/model_choice.h"

namespace ranktide {
namespace {

using OrderedJson = nlohmann::ordered_json;

struct EvalOptions {
  ModelChoice model;
  std::string tokenizer;  // folder; empty: the model's own
  std::string data;
  std::string kind;
  std::string norm = "tokens";
  int shots = 0;
  int64_t limit = 0;  // 0: all
  std::string form = "auto";
  bool items = false;
};

EvalSpec spec_of(const EvalOptions& options) {
  EvalSpec spec;
  spec.data = options.data;
  spec.kind = *enum_of<EvalKind>(options.kind);
  spec.norm = *enum_of<EvalNorm>(options.norm);
  spec.shots = options.shots;
  spec.form = options.form;
  if (options.limit > 0) spec.limit = options.limit;
  return spec;
}

OrderedJson loss_row(size_t index, const ItemScore& item) {
  return {{"item", index},
          {"tokens", item.tokens.front()},
          {"loglik", item.loglik.front()},
          {"choice", nullptr},
          {"correct", item.correct}};
}

OrderedJson choice_row(size_t index, const ItemScore& item) {
  return {{"item", index},
          {"tokens", item.tokens},
          {"loglik", item.loglik},
          {"choice", item.choice},
          {"correct", item.correct}};
}

void print_items(const Evaluation& evaluation, EvalKind kind) {
  for (size_t i = 0; i < evaluation.items.size(); ++i) {
    const ItemScore& item = evaluation.items[i];
    std::cout << (kind == EvalKind::loss ? loss_row(i, item) : choice_row(i, item)).dump() << "\n";
  }
}

void print_summary(const Evaluation& evaluation) {
  const OrderedJson summary = {{"metric", evaluation.metric},
                               {"value", evaluation.value},
                               {"stderr", evaluation.stderr_},  // null for a single item
                               {"items", evaluation.items.size()},
                               {"tokens", evaluation.tokens}};
  std::cout << summary.dump() << "\n";
}

int run_eval(const EvalOptions& options) {
  const EvalSpec spec = spec_of(options);
  const std::string tokenizer_folder = options.tokenizer.empty() ? options.model.folder : options.tokenizer;
  const Tokenizer tokenizer = Tokenizer::load(tokenizer_folder);
  const std::vector<EvalItem> items = load_eval_items(spec, tokenizer);
  const Model model = options.model.load();
  require_fit(tokenizer, model.shape(), tokenizer_folder);
  const Evaluation evaluation = *evaluate(model, items, spec.kind, spec.norm);
  options.items ? print_items(evaluation, spec.kind) : print_summary(evaluation);
  return kExitOk;
}

}  // namespace

std::function<int()> setup_eval(CLI::App& command) {
  const auto options = std::make_shared<EvalOptions>();
  options->model.add_options(command);
  command.add_option("--tokenizer", options->tokenizer,
                     "folder with tokenizer.json; the model's own when absent");
  command.add_option("--data", options->data, "evaluation file")->required();
  command.add_option("--kind", options->kind, "loss or choice")
      ->required()
      ->check(CLI::IsMember({"loss", "choice"}));
  command
      .add_option("--norm", options->norm,
                  "what a choice's log-likelihood is divided by: tokens, bytes or none")
      ->check(CLI::IsMember({"tokens", "bytes", "none"}))
      ->capture_default_str();
  command.add_option("--shots", options->shots, "first rows of the file shown before each item (choice only)")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--limit", options->limit, "items at most")->check(CLI::PositiveNumber);
  command.add_option("--template", options->form, "auto, chat, or a text with {query} and {choice}")
      ->capture_default_str();
  command.add_flag("--items", options->items, "print every item instead of the summary");
  return [options] { return run_eval(*options); };
}

}  // namespace ranktide
