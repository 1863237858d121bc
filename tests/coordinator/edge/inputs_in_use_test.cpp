// What sweeps were submitted with: files that a store must keep for them, models, the spec itself.
#include <gtest/gtest.h>

#include "coordinator/edge/query_inputs.h"
#include "coordinator/edge/query_models.h"
#include "coordinator/edge/query_spec.h"
#include "coordinator/edge/store.h"
#include "tests/coordinator/edge/history.h"

namespace ranktide {
namespace {

class InputsInUse : public testing::Test {
 protected:
  InputsInUse() : history_(folder_.path()) { history_.begin(); }

  // A revision of sweep 1 that names a file with this hash.
  void submit(int revision, const std::string& sha256) {
    SweepSpec spec;
    spec.name = "quick";
    spec.inputs.contents = {{"/data/train.jsonl", {.sha256 = sha256, .bytes = 3}}};
    history_.record(SweepSubmitted{.sweep = 1,
                                   .revision = revision,
                                   .request_id = "r" + std::to_string(revision),
                                   .spec_sha256 = sha256,
                                   .spec = spec});
  }
  void listed(int revision) { history_.record(SweepListed{.sweep = 1, .revision = revision}); }
  std::set<std::string> in_use() { return contents_in_use(history_.reader()); }

  TemporaryFolder folder_;
  History history_;
};

TEST_F(InputsInUse, AreThoseOfTheNewestRevisionOfAnUnfinishedSweep) {
  EXPECT_TRUE(in_use().empty());
  submit(1, "one");
  EXPECT_EQ(in_use(), std::set<std::string>{"one"});
  submit(2, "two");
  EXPECT_EQ(in_use(), std::set<std::string>{"two"});
}

TEST_F(InputsInUse, ASweepThatIsOverNeedsNone) {
  submit(1, "one");
  listed(1);
  EXPECT_TRUE(in_use().empty()) << "no trials: finished";
  submit(2, "two");
  EXPECT_EQ(in_use(), std::set<std::string>{"two"}) << "another revision opens it again";
}

TEST_F(InputsInUse, ASpecIsThatOfTheNewestRevision) {
  EXPECT_FALSE(newest_submission(history_.reader(), "quick"));
  submit(1, "one");
  submit(2, "two");
  EXPECT_EQ(newest_submission(history_.reader(), "quick")->spec.inputs.contents.at("/data/train.jsonl").sha256,
            "two");
  EXPECT_FALSE(newest_submission(history_.reader(), "qui"));
}

// Sweeps that named models, and who asks for one by its content.
class KnownModels : public testing::Test {
 protected:
  KnownModels() : history_(folder_.path()) { history_.begin(); }

  void submit(const std::string& sweep, const ModelInput& model, const std::string& key,
              const std::map<std::string, FileContent>& contents) {
    SweepSpec spec;
    spec.name = sweep;
    spec.inputs = {.models = {{key, model}}, .data = {}, .files = {}, .contents = contents};
    history_.record(
        SweepSubmitted{.sweep = ++sweeps_, .request_id = sweep, .spec_sha256 = sweep, .spec = std::move(spec)});
  }
  std::vector<std::string> roots(const std::string& sha256) {
    std::vector<std::string> out;
    for (const KnownModel& known : known_models(history_.reader(), sha256)) out.push_back(known.root);
    return out;
  }

  TemporaryFolder folder_;
  History history_;
  SweepNumber sweeps_ = 0;
};

TEST_F(KnownModels, AreFoundByBaseAndByTokenizerTheNewestFirst) {
  const ModelInput plain{.path = "/m", .base = BaseId{"b"}, .tokenizer_sha256 = "t"};
  const std::map<std::string, FileContent> files{{"/m/config.json", {"c", 2}}, {"/m2/config.json", {"d", 2}}};
  submit("first", plain, "/m", files);
  submit("again", plain, "/m", files);
  submit("elsewhere", {.path = "/n", .base = BaseId{"b"}, .tokenizer_sha256 = "u"}, "/n with /tokens",
         {{"/n/config.json", {"c", 2}}, {"/tokens/tokenizer.json", {"v", 3}}});
  EXPECT_EQ(roots("b"), (std::vector<std::string>{"/n", "/m"}));
  EXPECT_EQ(roots("u"), std::vector<std::string>{"/tokens"});
  EXPECT_EQ(roots("t"), std::vector<std::string>{"/m"});
  EXPECT_TRUE(roots("nobody's").empty());
  const auto found = known_models(history_.reader(), "t");
  ASSERT_EQ(found.at(0).files.size(), 1u) << "of this folder alone";
  EXPECT_EQ(found[0].files[0].path, "config.json");
  EXPECT_EQ(found[0].files[0].sha256, "c");
}

TEST_F(KnownModels, AFolderInsideAModelsFolderIsNoPartOfIt) {
  const std::map<std::string, FileContent> outer{{"/m/config.json", {"c", 2}}};
  std::map<std::string, FileContent> both = outer;
  both["/m/small/config.json"] = {"d", 2};
  submit("outer", {.path = "/m", .base = BaseId{"b"}, .tokenizer_sha256 = "t"}, "/m", outer);
  submit("both", {.path = "/m", .base = BaseId{"b"}, .tokenizer_sha256 = "t"}, "/m", both);
  const auto found = known_models(history_.reader(), "b");
  ASSERT_EQ(found.size(), 1u) << "the same folder, whatever lies inside";
  ASSERT_EQ(found[0].files.size(), 1u);
  EXPECT_EQ(found[0].files[0].path, "config.json");
}

TEST_F(KnownModels, AKeyThatNamesNoTokenizerStandsForNoFolder) {
  submit("odd", {.path = "/m", .base = BaseId{"b"}, .tokenizer_sha256 = "t"}, "of nothing",
         {{"/tokenizer.json", {"v", 3}}});
  EXPECT_TRUE(roots("t").empty());
}

TEST_F(KnownModels, ASubmissionThatDoesNotHaveTheHashIsNotDecoded) {
  submit("first", {.path = "/m", .base = BaseId{"b"}, .tokenizer_sha256 = "t"}, "/m",
         {{"/m/config.json", {"c", 2}}});
  Connection(database_file(folder_.path()), Connection::Mode::writer)
      .execute("INSERT INTO record SELECT max(seq) + 1, 0, 'SweepSubmitted', '{' FROM record");
  EXPECT_EQ(roots("b"), std::vector<std::string>{"/m"});
}

TEST_F(KnownModels, AFolderWhoseFilesNobodyHashedIsNoHelp) {
  submit("first", {.path = "/m", .base = BaseId{"b"}, .tokenizer_sha256 = "t"}, "/m", {});
  EXPECT_TRUE(roots("b").empty());
}

}  // namespace
}  // namespace ranktide
