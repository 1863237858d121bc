// The windows for checking from outside, as a user runs them.

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "common/model/safetensors.h"
#include "common/text/tokenizer.h"
#include "tests/worker/trainer/program/trainer_process.h"
#include "tests/worker/trainer/tiny_model.h"
#include "worker/trainer/lm/engine.h"
#include "worker/trainer/lm/model.h"
#include "worker/trainer/program/command.h"
#include "worker/trainer/program/serve.h"
#include "worker/trainer/program/text_lines.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class Windows : public testing::Test {
 protected:
  void SetUp() override {
    start_engine(1);
    write_tiny_model(model());
  }
  fs::path model() const { return folder_ / "model"; }
  Ended window(std::vector<std::string> arguments, const std::string& input = "") const {
    return run_window(std::move(arguments), folder_.path(), input);
  }
  Ended eval(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"eval", "--model", model().string()});
    return window(std::move(arguments));
  }
  std::string golden_rows(const std::string& kind) const {
    return (fs::path(RANKTIDE_SOURCE_DIR) / "tests/golden/eval" / (kind + ".jsonl")).string();
  }
  Json goldens(const std::string& kind) const {
    return Json::parse(read_file(fs::path(RANKTIDE_SOURCE_DIR) / "tests/golden/eval/goldens.json")).at(kind);
  }

  ScratchFolder folder_;
};

std::vector<Json> json_lines(const std::string& text) {
  std::vector<Json> rows;
  for (const std::string& line : split_lines(text)) rows.push_back(Json::parse(line));
  return rows;
}

std::vector<std::string> keys_of(const std::string& line) {
  std::vector<std::string> keys;
  const auto object = nlohmann::ordered_json::parse(line);
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

// ---- tokenize

TEST_F(Windows, TokenizePrintsOneListPerLineFeed) {
  const std::string text = "the tide\r\n\n  42 gulls\x0b out";
  const Ended ended = window({"tokenize", "--model", model().string()}, text);
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  const Tokenizer tokenizer = Tokenizer::load(model());
  std::vector<Json> expected;
  for (const char* line : {"the tide\r", "", "  42 gulls\x0b out"})
    expected.emplace_back(tokenizer.encode(line, Special::recognise));
  EXPECT_EQ(json_lines(ended.out), expected);
}

TEST_F(Windows, TokenizeReadsAFileAsStandardInput) {
  write_file(folder_ / "text.txt", "out again\nand in\n");
  const Ended from_file = window({"tokenize", "--model", model().string(), (folder_ / "text.txt").string()});
  const Ended from_input = window({"tokenize", "--model", model().string(), "-"}, "out again\nand in\n");
  EXPECT_EQ(json_lines(from_file.out).size(), 2u);
  EXPECT_EQ(from_file.out, from_input.out);
}

TEST_F(Windows, TokenizeSpellsSpecialTokensOutWhenAsked) {
  const Ended as_token = window({"tokenize", "--model", model().string()}, "<|im_end|>\n");
  const Ended as_text = window({"tokenize", "--no-special", "--model", model().string()}, "<|im_end|>\n");
  EXPECT_EQ(json_lines(as_token.out).at(0).size(), 1u);
  EXPECT_GT(json_lines(as_text.out).at(0).size(), 1u);
}

// ---- logits

void expect_logits(const fs::path& file, const Model& model, const std::vector<std::vector<int32_t>>& lines) {
  const SafetensorsFile written(file);
  ASSERT_EQ(written.tensors().size(), lines.size());
  for (size_t n = 0; n < lines.size(); ++n) {
    const TensorView& view = written.tensors().at("logits." + std::to_string(n));
    EXPECT_EQ(view.dtype, "F32");
    EXPECT_THAT(view.shape, ElementsAre(std::ssize(lines[n]), kTinyVocabulary));
    const std::vector<float> expected = model.logits(lines[n]);
    const auto* values = reinterpret_cast<const float*>(view.bytes.data());
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), values)) << "line " << n;
  }
}

TEST_F(Windows, LogitsWritesOneTensorPerLine) {
  write_file(folder_ / "ids.jsonl", "[5, 6, 7]\n[1]\n");
  const fs::path output = folder_ / "logits.safetensors";
  const Ended ended = window({"logits", "--model", model().string(), "--ids", (folder_ / "ids.jsonl").string(),
                              "-o", output.string()});
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  expect_logits(output, Model::untouched(Base::load(model(), Dtype::fp32)), {{5, 6, 7}, {1}});
}

TEST_F(Windows, LogitsAppliesAnAdapter) {
  const auto base = Base::load(model(), Dtype::fp32);
  const LoraSettings lora{.rank = 2, .alpha = 4, .target = {"q_proj", "v_proj"}};
  Model::with_lora(base, lora, 1).save(folder_ / "adapter");
  write_file(folder_ / "ids.jsonl", "[5, 6, 7]\n");
  const fs::path output = folder_ / "logits.safetensors";
  const Ended ended =
      window({"logits", "--model", model().string(), "--adapter", (folder_ / "adapter").string(), "--ids",
              (folder_ / "ids.jsonl").string(), "-o", output.string()});
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  expect_logits(output, Model::with_adapter(base, folder_ / "adapter"), {{5, 6, 7}});
}

TEST_F(Windows, LogitsNamesTheLineThatIsNoListOfIds) {
  const auto message_for = [&](const std::string& lines) {
    write_file(folder_ / "ids.jsonl", lines);
    const Ended ended =
        window({"logits", "--model", model().string(), "--ids", (folder_ / "ids.jsonl").string(), "-o",
                (folder_ / "never.safetensors").string()});
    EXPECT_EQ(ended.exit_code, 1);
    EXPECT_FALSE(fs::exists(folder_ / "never.safetensors"));
    return ended.err;
  };
  EXPECT_THAT(message_for("[1]\n[]\n"), HasSubstr("ids.jsonl:2: expected a list with at least one id"));
  EXPECT_THAT(message_for("[1, \"a\"]\n"), HasSubstr("ids.jsonl:1: an entry of the list is not an integer"));
  EXPECT_THAT(message_for("[1024]\n"),
              HasSubstr("ids.jsonl:1: id 1024 is outside the model's vocabulary of 1024"));
}

// ---- eval

TEST_F(Windows, EvalPrintsEveryLossItem) {
  const Ended ended = eval({"--data", golden_rows("context"), "--kind", "loss", "--items"});
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  const std::vector<Json> rows = json_lines(ended.out);
  const Json expected = goldens("context");
  ASSERT_EQ(rows.size(), expected.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i]["item"], i);
    EXPECT_EQ(rows[i]["tokens"], expected[i]["tokens"][0]);
    EXPECT_NEAR(rows[i]["loglik"].get<double>(), expected[i]["loglik"][0].get<double>(), 2e-4);
    EXPECT_TRUE(rows[i]["choice"].is_null());
    EXPECT_EQ(rows[i]["correct"], expected[i]["greedy"]);
  }
  EXPECT_THAT(keys_of(split_lines(ended.out).front()),
              ElementsAre("item", "tokens", "loglik", "choice", "correct"));
}

TEST_F(Windows, EvalPrintsEveryChoiceItem) {
  const Ended ended = eval({"--data", golden_rows("choice"), "--kind", "choice", "--norm", "bytes", "--items"});
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  const std::vector<Json> rows = json_lines(ended.out);
  const Json expected = goldens("choice");
  ASSERT_EQ(rows.size(), expected.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i]["tokens"], expected[i]["tokens"]);
    EXPECT_EQ(rows[i]["loglik"].size(), expected[i]["loglik"].size());
    EXPECT_EQ(rows[i]["choice"], expected[i]["by_bytes"]);
    EXPECT_TRUE(rows[i]["correct"].is_boolean());
  }
}

TEST_F(Windows, EvalSumsUpWithoutItems) {
  const Ended ended = eval({"--data", golden_rows("choice"), "--kind", "choice", "--limit", "4"});
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  const Json summary = Json::parse(ended.out);
  EXPECT_EQ(summary["metric"], "acc");
  EXPECT_EQ(summary["items"], 4);
  EXPECT_THAT(keys_of(ended.out), ElementsAre("metric", "value", "stderr", "items", "tokens"));
}

TEST_F(Windows, EvalNamesTheRowThatCannotBeRead) {
  write_file(folder_ / "rows.jsonl", "{\"query\": \"a\", \"choices\": [\"b\", \"c\"], \"gold\": 2}\n");
  const Ended ended = eval({"--data", (folder_ / "rows.jsonl").string(), "--kind", "choice"});
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_THAT(ended.err, AllOf(HasSubstr("error: "), HasSubstr("rows.jsonl:1"), HasSubstr("gold")));
}

// ---- all

TEST_F(Windows, SelfcheckFindsTheFoundationsSoundAndTrainsEveryFamily) {
  const Ended ended = window({"selfcheck"});
  EXPECT_EQ(ended.exit_code, 0) << ended.out << ended.err;
  for (const char* subject : {"LibTorch", "device", "OpenMP", "products", "gradients", "dropout", "rounding"})
    EXPECT_THAT(ended.out, HasSubstr(subject));
  for (const char* family : {"llama ", "llama3 ", "mistral ", "qwen2 ", "qwen3 ", "long "})
    EXPECT_THAT(ended.out, HasSubstr(family));
}

TEST_F(Windows, SelfcheckIsQuickOnRequestAndSpeaksJson) {
  const Ended ended = window({"selfcheck", "--quick", "--json"});
  EXPECT_EQ(ended.exit_code, 0) << ended.out << ended.err;
  const Json report = Json::parse(ended.out);
  EXPECT_EQ(report["good"], true);
  EXPECT_EQ(report["foundations"].size(), 7U);
  EXPECT_EQ(report["trainings"], Json::array());
}

// Where there is none, or LibTorch is a CPU build.
TEST_F(Windows, EachNamesTheRemedyWhereThereIsNoGpu) {
  if (fs::exists("/dev/nvidiactl"))
    GTEST_SKIP() << "an NVIDIA driver is here, and the remedy is for where none is";
  write_file(folder_ / "ids.jsonl", "[5, 6, 7]\n");
  const std::string output = (folder_ / "output").string(), ids = (folder_ / "ids.jsonl").string();
  const std::vector<std::vector<std::string>> asked{
      {"selfcheck", "--json"},
      {"gemm"},
      {"logits", "--model", model().string(), "--ids", ids, "-o", output},
      {"eval", "--model", model().string(), "--data", golden_rows("text"), "--kind", "loss"},
      {"serve", "--work-dir", output}};
  for (std::vector<std::string> words : asked) {
    words.insert(words.end(), {"--device", "cuda"});
    const Ended ended = window(words);
    EXPECT_EQ(ended.exit_code, words[0] == "serve" ? kExitBadStart : kExitFailed) << words[0];
    EXPECT_EQ(ended.out, "") << words[0];
    EXPECT_THAT(ended.err, AllOf(HasSubstr("error: cuda: "), HasSubstr("--device cpu"))) << words[0];
    EXPECT_FALSE(fs::exists(output)) << words[0];
  }
  EXPECT_EQ(window({"selfcheck", "--device", "tpu"}).exit_code, kExitUsage);
}

TEST_F(Windows, EveryCommandExplainsItselfWithAnExample) {
  for (const char* command : {"tokenize", "logits", "eval", "restore", "selfcheck", "gemm", "serve"}) {
    const Ended ended = window({command, "--help"});
    EXPECT_EQ(ended.exit_code, 0);
    EXPECT_THAT(ended.out, HasSubstr("Example:\n  ranktide-trainer " + std::string(command)));
  }
}

TEST_F(Windows, WrongUseIsToldApartFromFailure) {
  EXPECT_EQ(window({}).exit_code, kExitUsage);
  EXPECT_EQ(window({"tokenise"}).exit_code, kExitUsage);
  EXPECT_EQ(window({"tokenize", "--modle", "x"}).exit_code, kExitUsage);
  EXPECT_EQ(eval({"--data", golden_rows("choice"), "--kind", "rouge"}).exit_code, kExitUsage);
  const Ended failed = window({"tokenize", "--model", (folder_ / "nowhere").string()});
  EXPECT_EQ(failed.exit_code, kExitFailed);
  EXPECT_THAT(failed.err, AllOf(HasSubstr("error: "), HasSubstr("nowhere")));
}

TEST(ExitCodes, OfTheWindowsAreStable) {
  EXPECT_EQ(kExitOk, 0);
  EXPECT_EQ(kExitFailed, 1);
  EXPECT_EQ(kExitUsage, 2);
}

}  // namespace
}  // namespace ranktide
