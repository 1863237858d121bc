#include "tests/worker/trainer/program/tiny_works.h"

#include <gtest/gtest.h>

#include "common/model/base_identity.h"
#include "common/text/data_index.h"
#include "common/vocabulary/random.h"
#include "common/vocabulary/sha256.h"

namespace ranktide {
namespace fs = std::filesystem;
namespace {

std::string sentences(uint64_t seed, int words) {
  const std::vector<std::string> stock{"the",  "tide", "comes", "in", "and",
                                       "goes", "out",  "again", "42", "gulls"};
  SplitMix64 chance{seed};
  std::string text;
  for (int i = 0; i < words; ++i) text += stock[chance.below(stock.size())] + (i % 9 == 8 ? ".\n" : " ");
  return text;
}

std::string choice_rows(int count) {
  std::string rows;
  for (int i = 0; i < count; ++i)
    rows += R"({"query": "the tide goes", "choices": ["out again", "in and out and in"], "gold": )" +
            std::to_string(i % 2) + "}\n";
  return rows;
}

Stage stage_of(const std::string& name, const BaseId& base, Step steps) {
  return {.id = StageId{sha256_hex("stage " + name)},
          .trial = TrialId{sha256_hex("trial " + name)},
          .base = base,
          .to = steps};
}

LoraSettings tiny_lora() {
  return {.rank = 4, .alpha = 8, .target = {"down_proj", "q_proj", "v_proj"}, .dropout = 0.1};
}

}  // namespace

void TinyWorks::SetUp() {
  write_tiny_model(model());
  write_file(folder_ / "train.txt", sentences(1, 2000));
  write_file(folder_ / "held.txt", sentences(2, 300));
  write_file(folder_ / "choice.jsonl", choice_rows(6));
}

fs::path TinyWorks::artifact(const std::string& name) const {
  return work_dir() / "artifacts" / sha256_hex("trial " + name);
}

Work TinyWorks::training(const std::string& name, Method method, Step steps) const {
  const BaseId base = base_id_of(model());
  Stage stage = stage_of(name, base, steps);
  TrialSettings& settings = stage.settings;
  settings.model = {.path = model().string(), .tokenizer = "", .dtype = dtype_};
  settings.method = method;
  if (method == Method::lora) settings.lora = tiny_lora();
  settings.train.lr = 1e-3;
  settings.train.batch = 2;
  settings.data.train = {{.path = (folder_ / "train.txt").string()}};
  settings.data.max_tokens = 32;
  settings.budget.steps = steps;
  settings.seed = 7;
  const Tokenizer tokenizer = Tokenizer::load(model());
  stage.tokenizer_sha256 = tokenizer.sha256();
  stage.data_sha256 = load_dataset(settings.data, tokenizer).summary.sha256;
  return {.kind = WorkKind::train,
          .stage = stage,
          .base = base,
          .tokenizer_sha256 = stage.tokenizer_sha256,
          .model = settings.model,
          .evals = {}};
}

Work TinyWorks::evaluation(const std::vector<EvalOrder>& evals) const {
  return {.kind = WorkKind::evaluate,
          .stage = {},
          .base = base_id_of(model()),
          .tokenizer_sha256 = Tokenizer::load(model()).sha256(),
          .model = {.path = model().string(), .tokenizer = "", .dtype = dtype_},
          .evals = evals};
}

EvalOrder TinyWorks::loss_eval(const std::string& id, Step at) const {
  const fs::path file = folder_ / "held.txt";
  return {.id = EvalId{id}, .at = at, .spec = {.data = file.string(), .data_sha256 = sha256_of_file(file)}};
}

EvalOrder TinyWorks::choice_eval(const std::string& id, Step at) const {
  const fs::path file = folder_ / "choice.jsonl";
  EvalOrder eval{
      .id = EvalId{id}, .at = at, .spec = {.data = file.string(), .data_sha256 = sha256_of_file(file)}};
  eval.spec.kind = EvalKind::choice;
  return eval;
}

TrainerProcess& TinyWorks::trainer() {
  if (trainer_) return *trainer_;
  trainer_.emplace(work_dir(), folder_ / "log");
  if (const auto first = trainer_->next()) ready_ = std::get<TrainerReady>(*first);
  return *trainer_;
}

RunWork TinyWorks::order(const Work& work, Attempt attempt) {
  const UnitId unit = work.stage ? unit_of(work.stage->id) : unit_of(work.evals.front().id);
  return {.lease = {unit, attempt}, .work = work};
}

Told TinyWorks::run(const Work& work, Attempt attempt,
                    const std::function<void(const TrainerReport&)>& on_report) {
  const RunWork sent = order(work, attempt);
  trainer().send(sent);
  Told told;
  while (const auto report = trainer().next()) {
    if (on_report) on_report(*report);
    if (const auto* progress = std::get_if<WorkProgress>(&*report))
      told.phases.push_back(progress->progress.phase);
    if (const auto* found = std::get_if<WorkFound>(&*report)) {
      EXPECT_EQ(found->lease, sent.lease);
      for (const Point& point : found->findings.points) told.points[point.name][point.step] = point.value;
      for (const EvalResult& eval : found->findings.evals) told.evals[eval.id.text] = eval;
      if (found->findings.checkpoint) told.checkpoints.push_back(*found->findings.checkpoint);
    }
    if (const auto* ended = std::get_if<WorkEnded>(&*report)) {
      EXPECT_EQ(ended->lease, sent.lease);
      told.outcome = ended->outcome;
      break;
    }
  }
  return told;
}

}  // namespace ranktide
