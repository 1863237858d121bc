// Works that cannot be done: each ends as a typed outcome with a message that says what, where and what to do,
// and the trainer goes on to the next.

#include <gmock/gmock.h>

#include "common/model/base_identity.h"
#include "common/text/tokenizer.h"
#include "tests/worker/trainer/program/tiny_works.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class BadWork : public TinyWorks {
 protected:
  // Runs a work that must fail, then a good one. Returns: the failure's message.
  std::string failure_of(const Work& work) {
    const Told told = run(work);
    EXPECT_TRUE(told.outcome) << "the trainer ended: " << trainer().log();
    EXPECT_EQ(told.outcome->kind, OutcomeKind::failed);
    is_lasting_ = told.outcome->lasting;
    return told.outcome->message;
  }
  void expect_going_on() {
    SetUp();
    const Told told = run(training("after", Method::lora, 2));
    ASSERT_TRUE(told.outcome);
    EXPECT_EQ(told.outcome->kind, OutcomeKind::completed) << told.outcome->message;
  }
  Work good() const { return training("bad", Method::lora, 2); }

  bool is_lasting_ = false;  // of the last failure
};

TEST_F(BadWork, AMissingWeightFileIsNamed) {
  const Work work = good();
  fs::remove(model() / "model.safetensors");
  EXPECT_THAT(failure_of(work), HasSubstr("model.safetensors"));
  EXPECT_FALSE(is_lasting_) << "somebody may put it back";
  expect_going_on();
}

TEST_F(BadWork, ATruncatedWeightFileIsNamed) {
  const fs::path weights = model() / "model.safetensors";
  fs::resize_file(weights, fs::file_size(weights) - 100);
  EXPECT_THAT(failure_of(good()), HasSubstr("model.safetensors"));
  expect_going_on();
}

TEST_F(BadWork, AModelChangedSinceThePlanIsRefused) {
  const Work work = good();
  write_tiny_model(model(), 43);
  EXPECT_THAT(failure_of(work),
              AllOf(HasSubstr("holds base " + base_id_of(model()).brief()),
                    HasSubstr("planned for base " + work.base.brief()), HasSubstr("submit the sweep again")));
  expect_going_on();
}

TEST_F(BadWork, AnUnknownTokenizerKindIsNamed) {
  const Work work = good();
  write_file(model() / "tokenizer.json", R"({"model": {"type": "Unigram", "vocab": []}})");
  EXPECT_THAT(failure_of(work), AllOf(HasSubstr("tokenizer.json"), HasSubstr("Unigram")));
  expect_going_on();
}

TEST_F(BadWork, ATokenizerLargerThanTheModelIsRefused) {
  const Work small = good();
  fs::create_directories(folder_ / "tokenizer");
  for (const char* name : {"tokenizer.json", "tokenizer_config.json"})
    fs::copy_file(model() / name, folder_ / "tokenizer" / name);
  std::string tokenizer = read_file(folder_ / "tokenizer/tokenizer.json");
  const size_t place = tokenizer.find("\"added_tokens\"");
  ASSERT_NE(place, std::string::npos);
  const size_t list = tokenizer.find('[', place) + 1;
  tokenizer.insert(list,
                   R"({"id": 5000, "content": "<far>", "single_word": false, "lstrip": false, "rstrip": false,
                             "normalized": false, "special": true},)");
  write_file(folder_ / "tokenizer/tokenizer.json", tokenizer);
  Work work = small;
  work.model.tokenizer = work.stage->settings.model.tokenizer = (folder_ / "tokenizer").string();
  work.tokenizer_sha256 = work.stage->tokenizer_sha256 = Tokenizer::load(folder_ / "tokenizer").sha256();
  EXPECT_THAT(failure_of(work), AllOf(HasSubstr("5001 token ids"), HasSubstr("the model embeds 1024")));
  expect_going_on();
}

TEST_F(BadWork, AMalformedLineIsNamedByItsPlace) {
  write_file(folder_ / "rows.jsonl", "{\"text\": \"fine\"}\n{\"text\": \"torn\n");
  Work work = good();
  work.stage->settings.data.train = {{.path = (folder_ / "rows.jsonl").string()}};
  EXPECT_THAT(failure_of(work), HasSubstr("rows.jsonl:2:"));
  expect_going_on();
}

TEST_F(BadWork, TrainingDataChangedSinceThePlanIsRefused) {
  const Work work = good();
  write_file(folder_ / "train.txt", "one word more than before\n");
  EXPECT_THAT(failure_of(work),
              AllOf(HasSubstr("train.txt"), HasSubstr("not what this sweep was planned with")));
  expect_going_on();
}

TEST_F(BadWork, ATokenizerChangedSinceThePlanIsRefused) {
  Work work = good();
  const std::string file = read_file(model() / "tokenizer.json");
  write_file(model() / "tokenizer.json", file + "\n");
  const std::string refusal = "the tokenizer is not the one that this sweep was planned with";
  EXPECT_THAT(failure_of(work), HasSubstr(refusal));
  Work evals = evaluation({loss_eval("e", 0)});
  write_file(model() / "tokenizer.json", file);
  EXPECT_THAT(failure_of(evals), HasSubstr(refusal));
  expect_going_on();
}

TEST_F(BadWork, AnEvaluationFileChangedSinceThePlanIsRefusedBeforeTraining) {
  Work work = good();
  work.evals = {loss_eval("e", 2)};
  write_file(folder_ / "held.txt", "something else\n");
  EXPECT_THAT(failure_of(work),
              AllOf(HasSubstr("held.txt"), HasSubstr("not the one that this sweep was planned with")));
  expect_going_on();
}

TEST_F(BadWork, WeightsThatAreNotKeptHereAreNamedAndNotAskedForAgain) {
  Work work = evaluation({loss_eval("e", 2)});
  work.stage = good().stage;
  EXPECT_THAT(failure_of(work), AllOf(HasSubstr(artifact("bad").string()), HasSubstr("are not here"),
                                      HasSubstr("--artifacts-max")));
  EXPECT_TRUE(is_lasting_);
  work.evals = {loss_eval("e", 1)};
  EXPECT_THAT(failure_of(work), HasSubstr("only the weights of its last step, 2, are kept"));
  EXPECT_TRUE(is_lasting_);
  expect_going_on();
}

TEST_F(BadWork, AKeptDeltaThatIsDamagedIsNamed) {
  Work work = training("bad", Method::full, 2);
  work.keep = Keep::delta;
  EXPECT_EQ(run(work).outcome->kind, OutcomeKind::completed);
  write_file(artifact("bad") / "delta.zst", "not a delta");
  Work late = evaluation({loss_eval("e", 2)});
  late.stage = work.stage;
  EXPECT_THAT(failure_of(late), HasSubstr((artifact("bad") / "delta.zst").string()));
  expect_going_on();
}

TEST_F(BadWork, ACheckpointThatCannotBeWrittenIsNamedInTheLogAndTheWorkGoesOn) {
  Work work = good();
  work.checkpoint_every_ms = 0;
  trainer();
  write_file(work_dir() / "checkpoints" / work.stage->id.text, "a file where a folder should be");
  const Told told = run(work);
  ASSERT_TRUE(told.outcome);
  EXPECT_EQ(told.outcome->kind, OutcomeKind::completed) << told.outcome->message;
  EXPECT_THAT(told.checkpoints, testing::IsEmpty());  // what is not there is not told of
  EXPECT_THAT(trainer().log(), AllOf(HasSubstr("warning: no checkpoint at step 1, training goes on"),
                                     HasSubstr((work_dir() / "checkpoints").string())));
}

TEST_F(BadWork, AnArtifactThatCannotBeKeptFailsTheWork) {
  const Work work = good();
  trainer();
  fs::remove(work_dir() / "artifacts");
  write_file(work_dir() / "artifacts", "a file where a folder should be");
  EXPECT_THAT(failure_of(work), HasSubstr("artifacts"));
}

}  // namespace
}  // namespace ranktide
