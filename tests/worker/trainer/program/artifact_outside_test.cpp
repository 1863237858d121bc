// What a trial leaves, read from outside: by the windows, by transformers, and by PEFT.

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <span>

#include "common/model/safetensors.h"
#include "common/vocabulary/wire.h"
#include "tests/worker/trainer/program/tiny_works.h"
#include "worker/trainer/program/text_lines.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;

class Artifact : public TinyWorks {
 protected:
  // Trains so that it shows. Returns: the folder that the trial leaves.
  fs::path trained(Method method) {
    Work work = training("seen", method, 12);
    work.stage->settings.train.lr = method == Method::lora ? 1e-2 : 1e-3;
    work.keep = Keep::weights;
    EXPECT_EQ(run(work).outcome->kind, OutcomeKind::completed);
    return artifact("seen");
  }
  std::string window(std::vector<std::string> arguments) const {
    const Ended ended = run_window(std::move(arguments), folder_.path());
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return ended.out;
  }
  // The lines' ids and logits stand in ids.jsonl and logits.safetensors then.
  void write_logits(const fs::path& text, std::vector<std::string> model) const {
    write_file(folder_ / "ids.jsonl", window({"tokenize", "--model", model.at(1), text.string()}));
    model.insert(model.begin(), "logits");
    model.insert(model.end(),
                 {"--ids", (folder_ / "ids.jsonl").string(), "-o", (folder_ / "logits.safetensors").string()});
    window(model);
  }
  std::vector<Json> evaluated(std::vector<std::string> model) const {
    model.insert(model.begin(), "eval");
    model.insert(model.end(), {"--data", (folder_ / "rows.jsonl").string(), "--kind", "loss", "--items"});
    std::vector<Json> rows;
    for (const std::string& line : split_lines(window(model))) rows.push_back(Json::parse(line));
    return rows;
  }
};

// log p of the token among the logits of one place.
double log_probability(std::span<const float> logits, int32_t token) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float each : logits) sum += std::exp(each - largest);
  return logits[static_cast<size_t>(token)] - largest - std::log(sum);
}

// Of every token but the first, given those before it.
double log_likelihood(const TensorView& view, const std::vector<int32_t>& ids) {
  const auto width = static_cast<size_t>(view.shape.at(1));
  const auto* values = reinterpret_cast<const float*>(view.bytes.data());
  double sum = 0;
  for (size_t i = 1; i < ids.size(); ++i) sum += log_probability({values + (i - 1) * width, width}, ids[i]);
  return sum;
}

TEST_F(Artifact, EvalWithTheTrainedAdapterIsTheSumOverItsLogits) {
  const std::vector<std::string> with_adapter{"--model", model().string(), "--adapter",
                                              trained(Method::lora).string()};
  const std::vector<std::string> texts{"the tide comes in and goes out again", "gulls 42 gulls, out"};
  write_file(folder_ / "text.txt", texts[0] + "\n" + texts[1] + "\n");
  write_file(folder_ / "rows.jsonl", Json{{"text", texts[0]}}.dump() + "\n" + Json{{"text", texts[1]}}.dump());
  write_logits(folder_ / "text.txt", with_adapter);
  const std::vector<std::string> ids = split_lines(read_file(folder_ / "ids.jsonl"));
  const SafetensorsFile logits(folder_ / "logits.safetensors");
  const std::vector<Json> rows = evaluated(with_adapter);
  const std::vector<Json> of_base = evaluated({"--model", model().string()});
  ASSERT_EQ(rows.size(), texts.size());
  for (size_t n = 0; n < rows.size(); ++n) {
    const double expected =
        log_likelihood(logits.tensors().at("logits." + std::to_string(n)), Json::parse(ids.at(n)));
    const auto loglik = rows[n]["loglik"].get<double>();
    EXPECT_NEAR(loglik, expected, 1e-4);
    EXPECT_GT(std::abs(loglik - of_base.at(n)["loglik"].get<double>()), 1e-2) << "the base's own";
  }
}

TEST_F(Artifact, ADeltaRestoresTheFolderOfWeightsByteForByte) {
  for (const Keep keep : {Keep::weights, Keep::delta}) {
    Work work = training(std::string(text_of(keep)), Method::full, 12);
    work.model.dtype = work.stage->settings.model.dtype = Dtype::bf16;
    work.keep = keep;
    EXPECT_EQ(run(work).outcome->kind, OutcomeKind::completed);
  }
  const fs::path delta = artifact("delta"), restored = folder_ / "restored";
  EXPECT_FALSE(fs::exists(delta / "model.safetensors"));
  window({"restore", "--model", model().string(), "--delta", delta.string(), "-o", restored.string()});
  for (const auto& file : fs::directory_iterator(artifact("weights")))
    EXPECT_TRUE(read_file(restored / file.path().filename()) == read_file(file.path())) << file.path();
  const Ended again =
      run_window({"restore", "--model", model().string(), "--delta", delta.string(), "-o", model().string()},
                 folder_.path());
  EXPECT_NE(again.exit_code, 0);
  EXPECT_NE(again.err.find("is not empty"), std::string::npos) << "a base is not written over";
}

class InPython : public Artifact {
 protected:
  void SetUp() override {
    Artifact::SetUp();
    if (!fs::exists(python())) GTEST_SKIP() << "no Python environment at .env: run ./bootstrap test";
  }
  // Fails unless this script of tests/golden agrees; it exits with 77 where what it imports is not installed.
  static void expect_agreement(const std::string& script, const std::vector<std::string>& arguments) {
    std::string command =
        python().string() + " " + (fs::path(RANKTIDE_SOURCE_DIR) / "tests/golden" / script).string();
    for (const std::string& each : arguments) command += " " + each;
    const int status = std::system(command.c_str());
    if (WEXITSTATUS(status) == 77)
      GTEST_SKIP() << script << " imports what .env does not have: run ./bootstrap test, which installs it";
    EXPECT_EQ(status, 0) << "exit code or signal, as wait gives it";
  }
  static fs::path python() { return fs::path(RANKTIDE_SOURCE_DIR) / ".env/bin/python"; }
};

class InPeft : public InPython {
 protected:
  // Fails unless PEFT gives the line the adapter's logits as `ranktide-trainer logits` does.
  void expect_equal_logits(const fs::path& adapter, const std::string& line) const {
    write_file(folder_ / "text.txt", line + "\n");
    write_logits(folder_ / "text.txt", {"--model", model().string(), "--adapter", adapter.string()});
    const SafetensorsFile file(folder_ / "logits.safetensors");
    const std::span bytes = file.tensors().at("logits.0").bytes;
    const std::span values(reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float));
    write_file(folder_ / "logits.json", Json(std::vector<float>(values.begin(), values.end())).dump());
    expect_agreement("check_adapter_in_peft.py",
                     {model().string(), adapter.string(), folder_ / "ids.jsonl", folder_ / "logits.json"});
  }
};

TEST_F(InPeft, TheAdapterThatATrialTrainedHasTheSameLogits) {
  expect_equal_logits(trained(Method::lora), "the tide comes in and 42 gulls go out again");
}

class InTransformers : public InPython {
 protected:
  // Fails unless transformers reads the folder as a whole, and gives each line of `lines` the same ids and
  // logits.
  void expect_logits_within(const std::string& limit, const fs::path& folder, const std::string& lines) const {
    const fs::path text = folder_ / "text.txt";
    write_file(text, lines);
    write_logits(text, {"--model", folder.string()});
    expect_agreement("check_weights_in_transformers.py",
                     {limit, folder, text, folder_ / "ids.jsonl", folder_ / "logits.safetensors"});
  }
};

TEST_F(InTransformers, FullWeightsOfATrialHaveTheSameLogits) {
  expect_logits_within("1e-4", trained(Method::full),
                       "the tide comes in\nand 42 gulls go out again: <|im_end|> naïve\n");
}

TEST_F(InTransformers, TheBaseModelHasTheSameLogitsAtTwentyPrompts) {
  const fs::path source = RANKTIDE_SOURCE_DIR, problems = source / "data/problems_held.jsonl";
  const fs::path base = source / "models/smollm2-135m";
  if (!fs::exists(base) || !fs::exists(problems)) GTEST_SKIP() << "no base model or data: run ./bootstrap test";
  const std::vector<std::string> rows = split_lines(read_file(problems));
  std::string prompts;
  for (size_t n = 0; n < 20; ++n) prompts += Json::parse(rows.at(n)).at("prompt").get<std::string>() + "\n";
  // In all columns; model_golden_test holds the same at the columns of its goldens.
  expect_logits_within("1e-4", base, prompts);
}

}  // namespace
}  // namespace ranktide
