#include "common/content/manifest.h"

#include <gtest/gtest.h>

#include "common/vocabulary/sha256.h"

namespace ranktide {
namespace {

InputFile file(const std::string& path, const std::string& text = "text") {
  return {path, sha256_hex(text), static_cast<int64_t>(text.size())};
}

Work training(const std::string& data, std::vector<InputFile> inputs) {
  Work work;
  work.model.path = "/models/tiny";
  work.stage.emplace();
  work.stage->settings.model = work.model;
  work.stage->settings.data.train = {{data, 1}};
  work.inputs = std::move(inputs);
  return work;
}

EvalOrder eval(const std::string& path, const std::string& text) {
  EvalOrder order;
  order.spec.data = path;
  order.spec.data_sha256 = sha256_hex(text);
  return order;
}

std::vector<std::string> names(const Manifest& manifest) {
  std::vector<std::string> out;
  for (const ManifestFile& each : manifest.files) out.push_back(each.name);
  return out;
}

TEST(Manifest, GroupsFilesByThePathOfTheSettings) {
  const auto found = manifests_of(training("/data", {file("/models/tiny/config.json"), file("/data/b.jsonl"),
                                                     file("/data/a.jsonl"), file("/data-2/c")}));
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(names(found[0]), (std::vector<std::string>{"config.json"}));
  EXPECT_EQ(names(found[1]), (std::vector<std::string>{"a.jsonl", "b.jsonl"}));
}

TEST(Manifest, IsNamedByContentAndNotByPlace) {
  const auto id = [](const std::string& root, const std::string& text) {
    return manifests_of(training(root, {file(root, text)})).at(0).id();
  };
  EXPECT_EQ(id("/a/data.jsonl", "x"), id("/b/data.jsonl", "x"));
  EXPECT_NE(id("/a/data.jsonl", "x"), id("/a/data.jsonl", "y"));
  EXPECT_NE(id("/a/data.jsonl", "x"), id("/a/data.txt", "x")) << "its ending says how it is read";
}

TEST(Manifest, RefusesNamesThatLeadOutOfTheRoot) {
  for (const char* name :
       {"/data/../secret", "/data/a/../../b", "/data//b", "/data/.", "/data/a/", "/data/a\nb"})
    EXPECT_THROW(manifests_of(training("/data", {file(name)})), ContentError) << name;
}

TEST(Manifest, RefusesARootWithoutAName) {
  EXPECT_THROW(manifests_of(training("/a/..", {file("/a/../b")})), ContentError);
}

TEST(Manifest, RefusesWhatIsNoHash) {
  EXPECT_THROW(manifests_of(training("/d", {{"/d", "../../etc/passwd", 1}})), ContentError);
  EXPECT_THROW(manifests_of(training("/d", {{"/d", sha256_hex("x"), -1}})), ContentError);
}

TEST(Manifest, ASettingThatIsEmptyNamesNoFiles) {
  Work work = training("/d", {file("/d")});
  work.model.path = work.stage->settings.model.path = "";
  EXPECT_EQ(manifests_of(work).size(), 1u);
}

TEST(Manifest, AHubNameIsAnInputEvenWhenNoFileWasRecorded) {
  Work work = training("/d", {});
  work.model.path = work.stage->settings.model.path = "hub:org/tiny@main";
  const auto found = manifests_of(work);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].root, "hub:org/tiny@main");
}

TEST(Manifest, AWorkIsMovedToWhereItsInputsLie) {
  Work work = training("/d.jsonl", {file("/d.jsonl", "old"), file("/d.jsonl", "new")});
  work.evals = {eval("/d.jsonl", "new"), eval("/elsewhere.txt", "unrecorded")};
  const auto found = manifests_of(work);
  ASSERT_EQ(found.size(), 2u) << "one path, two contents";
  const Work moved = relocated(work, {{found[0], "/cache/old/d.jsonl"}, {found[1], "/cache/new/d.jsonl"}});
  EXPECT_EQ(moved.stage->settings.data.train[0].path, "/cache/old/d.jsonl");
  EXPECT_EQ(moved.evals[0].spec.data, "/cache/new/d.jsonl");
  EXPECT_EQ(moved.evals[1].spec.data, "/elsewhere.txt");
  EXPECT_EQ(moved.model.path, "/models/tiny");
}

}  // namespace
}  // namespace ranktide
