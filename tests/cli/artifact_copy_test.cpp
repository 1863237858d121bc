#include "cli/artifact_copy.h"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>

#include "common/vocabulary/sha256.h"
#include "tests/temporary_folder.h"

namespace ranktide::cli {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// A coordinator that has one artifact and gives four bytes at a time.
class ArtifactCopy : public testing::Test {
 protected:
  void leaves(const std::string& name, const std::string& text) {
    artifact_.files.push_back(
        {.path = name, .bytes = static_cast<int64_t>(text.size()), .sha256 = sha256_hex(text)});
    texts_[name] = text;
  }
  void copy() {
    copy_artifact(artifact_,
                  [this](const std::string& file, int64_t offset) {
                    asked_.push_back(file + ":" + std::to_string(offset));
                    return texts_.at(file).substr(static_cast<size_t>(offset), 4);
                  },
                  here(),
                  {.say = [](const std::string&) {}, .moved = [](const std::string&, int64_t, int64_t) {}});
  }
  std::string refusal() {
    try {
      copy();
    } catch (const CommandError& error) {
      return error.what();
    }
    return "copied";
  }
  fs::path here() const { return folder_.path() / "adapter"; }
  std::string text(const std::string& name) const {
    std::stringstream out;
    out << std::ifstream(here() / name, std::ios::binary).rdbuf();
    return out.str();
  }

  TemporaryFolder folder_;
  Artifact artifact_{.trial = std::string(64, 'a'), .files = {}};
  std::map<std::string, std::string> texts_;
  std::vector<std::string> asked_;
};

TEST_F(ArtifactCopy, BringsEveryFileToItsName) {
  leaves("adapter_model.safetensors", "0123456789");
  leaves("sub/empty", "");
  copy();
  EXPECT_EQ(text("adapter_model.safetensors"), "0123456789");
  EXPECT_TRUE(fs::exists(here() / "sub/empty"));
  EXPECT_FALSE(fs::exists(here() / "adapter_model.safetensors.part"));
}

TEST_F(ArtifactCopy, GoesOnWhereItWasCutAndAsksForNothingThatIsThere) {
  leaves("a", "0123456789");
  fs::create_directories(here());
  std::ofstream(here() / "a.part") << "01234";
  copy();
  EXPECT_THAT(asked_, testing::ElementsAre("a:5", "a:9"));
  EXPECT_EQ(text("a"), "0123456789");
  copy();
  EXPECT_EQ(asked_.size(), 2u);
}

TEST_F(ArtifactCopy, WhatIsNotItsHashIsSaidAndBegunAnew) {
  leaves("a", "0123456789");
  fs::create_directories(here());
  std::ofstream(here() / "a.part") << "98765";
  EXPECT_THAT(refusal(), HasSubstr("not what its hash says"));
  EXPECT_FALSE(fs::exists(here() / "a"));
  copy();
  EXPECT_EQ(text("a"), "0123456789");
}

TEST_F(ArtifactCopy, AnotherFileOfTheNameIsLeftAlone) {
  leaves("a", "0123456789");
  fs::create_directories(here());
  std::ofstream(here() / "a") << "mine";
  EXPECT_THAT(refusal(), HasSubstr("is another file"));
  EXPECT_EQ(text("a"), "mine");
}

TEST_F(ArtifactCopy, NoNameLeadsOutOfTheFolder) {
  leaves("good", "x");
  leaves("../up", "x");
  EXPECT_THAT(refusal(), HasSubstr("leads out of its folder"));
  EXPECT_FALSE(fs::exists(here() / "good"));
}

TEST_F(ArtifactCopy, AFileThatBecameShorterIsSaid) {
  leaves("a", "0123456789");
  texts_["a"] = "012";
  EXPECT_THAT(refusal(), HasSubstr("became shorter"));
}

}  // namespace
}  // namespace ranktide::cli
