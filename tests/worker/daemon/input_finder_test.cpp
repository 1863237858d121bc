#include "worker/daemon/input_finder.h"

#include <gtest/gtest.h>

#include "tests/worker/daemon/input_world.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;

class Finder : public testing::Test, protected InputWorld {
 protected:
  InputPlaces places() const {
    InputPlaces out{.hub_cache = hub(),
                    .copies = work() / "inputs",
                    .hashes = work() / "cache",
                    .copies_bytes_max = bytes_max_,
                    .coordinator = {}};
    if (door) out.coordinator = client();
    return out;
  }
  fs::path hub() const { return work() / "hub"; }
  std::string find(const Manifest& input) { return InputFinder(places()).find({input}, nothing_).at(0).path; }
  std::string refusal(const Manifest& input) {
    try {
      return "found at " + find(input);
    } catch (const InputMissing& error) {
      return error.what();
    }
  }
  Manifest folder_of(const std::map<std::string, std::string>& files) const {
    Manifest out{.root = shared("folder").string(), .files = {}};
    for (const auto& [name, text] : files)
      out.files.push_back({name, {sha256_hex(text), static_cast<int64_t>(text.size())}});
    return out;
  }
  fs::path snapshot(const std::string& commit) const { return hub() / "models--org--tiny/snapshots" / commit; }
  Manifest model(const std::string& root) const {
    Manifest out = folder_of({{"config.json", "{}"}});
    out.root = root;
    out.is_complete = false;
    return out;
  }

  int64_t bytes_max_ = 1 << 30;
  InputFinder::OnProgress nothing_ = [](const std::string&) {};
};

TEST_F(Finder, TheSamePathComesFirst) {
  start_coordinator();
  upload("rows");
  write_file(shared("d.jsonl"), "rows");
  EXPECT_EQ(find(file("d.jsonl", "rows")), shared("d.jsonl"));
  EXPECT_TRUE(fs::is_empty(work() / "inputs")) << "nothing was copied";
}

TEST_F(Finder, AFileThatChangedAtItsPathIsLookedForElsewhere) {
  start_coordinator();
  upload("old rows");
  write_file(shared("d.jsonl"), "new rows");
  EXPECT_EQ(text_of_file(find(file("d.jsonl", "old rows"))), "old rows");
  EXPECT_EQ(text_of_file(shared("d.jsonl")), "new rows");
}

TEST_F(Finder, AFolderWithAFurtherDataFileIsAnotherDataSetAndReadWithoutIt) {
  const Manifest input = folder_of({{"a.jsonl", "a"}, {"sub/b.jsonl", "b"}});
  write_file(shared("folder/a.jsonl"), "a");
  write_file(shared("folder/sub/b.jsonl"), "b");
  write_file(shared("folder/notes.pdf"), "of another kind");
  EXPECT_EQ(find(input), shared("folder"));
  write_file(shared("folder/c.jsonl"), "c");
  const fs::path copy = find(input);
  EXPECT_EQ(text_of_file(copy / "sub/b.jsonl"), "b") << "of the files that are known by hash";
  EXPECT_FALSE(fs::exists(copy / "c.jsonl"));
}

TEST_F(Finder, ASnapshotOfAnotherMachineIsFoundInTheOwnHubCache) {
  write_file(snapshot("0123abc") / "config.json", "{}");
  EXPECT_EQ(find(model("/elsewhere/hub/models--org--tiny/snapshots/0123abc")), snapshot("0123abc"));
}

TEST_F(Finder, AHubNameIsFoundByContentWhateverItsBranchIsNow) {
  write_file(snapshot("old") / "config.json", "{}");
  write_file(snapshot("new") / "config.json", "{\"changed\": 1}");
  write_file(hub() / "models--org--tiny/refs/main", "new");
  EXPECT_EQ(find(model("hub:org/tiny@main")), snapshot("old"));
}

TEST_F(Finder, AHubNameWithoutRecordedFilesIsItsSnapshot) {
  write_file(snapshot("new") / "config.json", "{}");
  write_file(hub() / "models--org--tiny/refs/main", "new");
  EXPECT_EQ(find({.root = "hub:org/tiny@main", .files = {}}), snapshot("new"));
}

TEST_F(Finder, AMissingHubNameSaysTheCommandThatDownloadsIt) {
  EXPECT_NE(
      refusal({.root = "hub:org/tiny@v2", .files = {}}).find("huggingface-cli download org/tiny --revision v2"),
      std::string::npos);
}

TEST_F(Finder, AFolderComesFromTheCoordinatorAndIsKept) {
  start_coordinator();
  const Manifest input = folder_of({{"a.jsonl", "a"}, {"sub/b.jsonl", "bb"}, {"empty.jsonl", ""}});
  for (const char* text : {"a", "bb", ""}) upload(text);
  const fs::path root = find(input);
  EXPECT_EQ(text_of_file(root / "sub/b.jsonl"), "bb");
  EXPECT_EQ(root.filename(), "folder");
  door.reset();
  EXPECT_EQ(find(input), root) << "without a coordinator";
}

TEST_F(Finder, TheSameBytesUnderAnotherNameAreNotFetchedAgain) {
  start_coordinator();
  upload("rows");
  find(file("d.jsonl", "rows"));
  door.reset();
  EXPECT_EQ(text_of_file(find(file("renamed.jsonl", "rows"))), "rows");
}

TEST_F(Finder, OfAFolderOnlyWhatIsNotKnownByHashIsFetched) {
  start_coordinator();
  write_file(shared("x.jsonl"), "a");
  find(file("x.jsonl", "a"));
  upload("b");
  const fs::path root = find(folder_of({{"a.jsonl", "a"}, {"b.jsonl", "b"}}));
  EXPECT_EQ(text_of_file(root / "a.jsonl"), "a");
  EXPECT_EQ(text_of_file(root / "b.jsonl"), "b");
}

TEST_F(Finder, OfAFetchThatWasCutShortOnlyTheRestIsFetched) {
  start_coordinator();
  const Manifest input = folder_of({{"a.jsonl", "a"}, {"b.jsonl", "b"}, {"c.jsonl", "c"}});
  const fs::path begun = work() / "inputs" / input.id() / "files" / "folder";
  write_file(begun / "a.jsonl", "a");
  write_file(begun / "b.jsonl", "x");
  for (const char* text : {"b", "c"}) upload(text);  // nobody has the first one to give
  const fs::path root = find(input);
  for (const char* text : {"a", "b", "c"}) EXPECT_EQ(text_of_file(root / (std::string(text) + ".jsonl")), text);
}

TEST_F(Finder, ACopyThatWasDamagedIsFetchedAgain) {
  start_coordinator();
  upload("rows");
  const fs::path copy = find(file("d.jsonl", "rows"));
  write_file(copy, "r0ws");
  EXPECT_EQ(text_of_file(find(file("d.jsonl", "rows"))), "rows");
}

TEST_F(Finder, ARefusalSaysWhichInputAndWhereItWasLookedFor) {
  start_coordinator();
  const std::string said = refusal(file("d.jsonl", "rows"));
  for (const std::string& part : {shared("d.jsonl").string() + " (4 bytes",
                                  shared("d.jsonl").string() + " is missing", (work() / "inputs").string(),
                                  std::string("the coordinator does not have it"), std::string("submit again")})
    EXPECT_NE(said.find(part), std::string::npos) << said;
}

TEST_F(Finder, WhatHasAnotherHashIsNotUsed) {
  start_coordinator();
  write_file(blobs() / sha256_hex("rows"), "r0ws");
  EXPECT_NE(refusal(file("d.jsonl", "rows")).find("has another hash"), std::string::npos);
}

TEST_F(Finder, LeastRecentlyUsedCopiesMakeRoom) {
  start_coordinator();
  bytes_max_ = 25;
  for (const char* text : {"0123456789", "abcdefghij", "ABCDEFGHIJ"}) upload(text);
  const fs::path first = find(file("1", "0123456789"));
  const fs::path second = find(file("2", "abcdefghij"));
  find(file("1", "0123456789"));
  find(file("3", "ABCDEFGHIJ"));
  EXPECT_TRUE(fs::exists(first));
  EXPECT_FALSE(fs::exists(second));
}

TEST_F(Finder, WhatIsInUseIsNeverEvicted) {
  start_coordinator();
  bytes_max_ = 15;
  for (const char* text : {"0123456789", "abcdefghij"}) upload(text);
  InputFinder running(places());
  const auto used = running.find({file("1", "0123456789")}, nothing_);
  EXPECT_NE(refusal(file("2", "abcdefghij")).find("raise --inputs-max"), std::string::npos);
  EXPECT_TRUE(fs::exists(used.at(0).path));
  running.find({}, nothing_);
  EXPECT_EQ(refusal(file("2", "abcdefghij")).substr(0, 8), "found at");
  EXPECT_FALSE(fs::exists(used.at(0).path));
}

}  // namespace
}  // namespace ranktide
