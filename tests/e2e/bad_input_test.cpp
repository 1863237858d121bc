// What a user is told when something is wrong, as `ranktide run` says it: place, reason, remedy, and the exit
// code.

#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/e2e/tiny_world.h"

namespace ranktide::e2e {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class BadInput : public testing::Test {
 protected:
  Ended run_sweep() { return world_.ranktide({"run", world_.sweep().string()}); }
  Ended run_text(const std::string& text) {
    world_.write_sweep(text);
    return run_sweep();
  }
  // Nothing half done: a refused start leaves no database behind.
  bool nothing_was_begun() const { return !fs::exists(world_.data() / "ranktide.db"); }

  TinyWorld world_;
};

// A folder that nobody can write in. Modes do not stop root, a read-only file system does.
class ReadOnlyFolder {
 public:
  explicit ReadOnlyFolder(const fs::path& at) : at_(at) {
    fs::create_directories(at);
    if (geteuid() != 0)
      fs::permissions(at, fs::perms::owner_read | fs::perms::owner_exec);
    else
      is_mounted_ = mount("tmpfs", at.c_str(), "tmpfs", MS_RDONLY, "size=100k") == 0;
  }
  ~ReadOnlyFolder() {
    if (is_mounted_)
      umount2(at_.c_str(), MNT_DETACH);
    else
      fs::permissions(at_, fs::perms::owner_all);
  }
  bool is_read_only() const { return access(at_.c_str(), W_OK) != 0; }

 private:
  fs::path at_;
  bool is_mounted_ = false;
};

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST_F(BadInput, AnUnknownKeyIsNamedWithItsPlaceAndTheNearestOne) {
  const Ended ended = run_text(replaced(TinyWorld::sweep_text(), "schedule:", "shedule:"));
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err, AllOf(HasSubstr("tiny.yaml:5:19: unknown key"), HasSubstr("did you mean"),
                               HasSubstr("train.schedule")));
  EXPECT_TRUE(nothing_was_begun());
}

TEST_F(BadInput, AFileThatIsNoSweepIsToldWhatItIs) {
  const std::vector<std::pair<std::string, std::string>> files = {
      {"", "the file is empty"},
      {"%PDF-1.4\n%\xc3\xa2\n1 0 obj\n", "tiny.yaml"},
      {std::string("\xff\xd8\xff\xe0\x00\x10JFIF", 10), "not valid UTF-8"}};
  for (const auto& [text, said] : files) {
    const Ended ended = run_text(text);
    EXPECT_EQ(ended.exit_code, 2) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr(said));
    EXPECT_THAT(ended.err, Not(HasSubstr("basic_string")));
  }
  EXPECT_TRUE(nothing_was_begun());
}

TEST_F(BadInput, AWrongTypeIsNamedWithItsPlace) {
  const Ended ended = run_text(replaced(TinyWorld::sweep_text(), "batch: 2", "batch: two"));
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err,
              HasSubstr("tiny.yaml:5:16: train.batch takes a whole number from 1 to 1048576, got \"two\""));
  EXPECT_TRUE(nothing_was_begun());
}

TEST_F(BadInput, AnEmptyGridIsRefused) {
  const Ended ended = run_text(replaced(TinyWorld::sweep_text(), "lora.rank: 4", "lora.rank: []"));
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err, AllOf(HasSubstr("tiny.yaml:15:35: axis lora.rank has no values"),
                               HasSubstr("give it at least one, or leave the key out")));
  EXPECT_TRUE(nothing_was_begun());
}

TEST_F(BadInput, RulesThatLeaveNothingOfABlockAreNamedBeforeInputsAreRead) {
  const Ended ended =
      run_text(replaced(TinyWorld::sweep_text(), "lora.rank: 4,", "lora.rank: 4, exclude: [rank < 8],"));
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err,
              AllOf(HasSubstr("tiny.yaml:15:48: block lora: its exclude rules remove all of its 2 cells"),
                    Not(HasSubstr("reading"))));
  EXPECT_TRUE(nothing_was_begun());
}

TEST_F(BadInput, AMissingMethodIsNamedWhereItsBlockStands) {
  const Ended ended = run_text(replaced(TinyWorld::sweep_text(), "full: {method: full, ", "full: {"));
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err,
              AllOf(HasSubstr("tiny.yaml:14:3: block full: method is required"), Not(HasSubstr("reading"))));
}

TEST_F(BadInput, ASweepFileThatIsNotThereIsAMistakeOfTheCommandLine) {
  for (const char* command : {"plan", "run", "submit"}) {
    const Ended ended = world_.ranktide({command, (world_.folder() / "tiny.yml").string()});
    EXPECT_EQ(ended.exit_code, 2);
    EXPECT_THAT(ended.err, AllOf(HasSubstr("tiny.yml (No such file or directory)"),
                                 HasSubstr("give the path of a sweep file")));
  }
  EXPECT_TRUE(nothing_was_begun());
}

TEST_F(BadInput, AMissingModelFileIsNamed) {
  fs::remove(world_.model() / "model.safetensors");
  const Ended ended = run_sweep();
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err, AllOf(HasSubstr(world_.model().string() + ": has neither model.safetensors nor"),
                               HasSubstr("must be converted first"), HasSubstr("relative to its folder")));
  EXPECT_TRUE(nothing_was_begun());
}

TEST_F(BadInput, ATruncatedWeightFileIsRefusedByNameAndSize) {
  fs::resize_file(world_.model() / "model.safetensors", 1000);
  const Ended ended = run_sweep();
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err, AllOf(HasSubstr("model.safetensors: not a valid safetensors file"),
                               HasSubstr("(truncated?)"), HasSubstr("fetch or write it again")));
  EXPECT_TRUE(nothing_was_begun());
}

TEST_F(BadInput, AMalformedJsonLineIsNamedByFileAndLine) {
  std::string rows = read_text(world_.folder() / "math_train.jsonl");
  write_text(world_.folder() / "math_train.jsonl", rows + "{\"prompt\": \"broken\n");
  const Ended ended = run_sweep();
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err,
              AllOf(HasSubstr("math_train.jsonl:201:"), HasSubstr("one complete object on each line")));
  EXPECT_TRUE(nothing_was_begun());
}

TEST_F(BadInput, AFileWhoseEndingSaysNothingOfItsKindIsRefusedWhateverTheFormat) {
  fs::copy_file(world_.folder() / "code_train.txt", world_.folder() / "code_train.csv");
  const std::string text = replaced(TinyWorld::sweep_text(), "code_train.txt", "code_train.csv");
  for (const std::string& sweep : {text, text + "data.format: text\n"}) {
    const Ended ended = run_text(sweep);
    EXPECT_EQ(ended.exit_code, 2);
    EXPECT_THAT(ended.err, AllOf(HasSubstr("code_train.csv: the name's ending says nothing about its kind"),
                                 HasSubstr(".jsonl .json (rows)")));
  }
  EXPECT_TRUE(nothing_was_begun());
}

TEST_F(BadInput, ADataFilesNameThatIsNoUtf8IsRefusedAndEndsNothing) {
  const fs::path latin1 = world_.folder() / "texts" / "caf\xe9.txt";
  fs::create_directories(latin1.parent_path());
  fs::copy_file(world_.folder() / "code_train.txt", latin1);
  world_.write_sweep(replaced(TinyWorld::sweep_text(), "code_train.txt", "texts"));
  const Ended plan = world_.ranktide({"plan", world_.sweep().string()});
  EXPECT_EQ(plan.exit_code, 0) << plan.err;
  EXPECT_THAT(plan.out + plan.err, HasSubstr("caf\xef\xbf\xbd.txt: this name is not UTF-8"));
  EXPECT_EQ(world_.ranktide({"plan", world_.sweep().string(), "--json"}).exit_code, 0);
  const Ended ended = run_sweep();
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err,
              HasSubstr("this name is not UTF-8, as that of every data file must be; rename the file"));
  EXPECT_TRUE(nothing_was_begun());
}

TEST_F(BadInput, EvalDataThatCannotBeScoredIsRefusedBeforeAnythingIsTrained) {
  const fs::path held = world_.folder() / "math_held.jsonl";
  const std::string rows = read_text(held);
  write_text(held, rows + "{\"prompt\": \"broken\n");
  const Ended malformed = run_sweep();
  EXPECT_EQ(malformed.exit_code, 2);
  EXPECT_THAT(malformed.err, AllOf(HasSubstr("math_held.jsonl:21:"), HasSubstr("malformed JSON")));
  write_text(held, "");
  const Ended empty = run_sweep();
  EXPECT_EQ(empty.exit_code, 2);
  EXPECT_THAT(empty.err, HasSubstr("math_held.jsonl: has no rows"));
  write_text(held, rows);
  const Ended wrong =
      run_text(replaced(TinyWorld::sweep_text(), "math_held.jsonl}", "math_held.jsonl, kind: choice}"));
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.err, AllOf(HasSubstr("math_held.jsonl:1:"), HasSubstr("kind choice needs rows")));
  EXPECT_TRUE(nothing_was_begun());
}

TEST_F(BadInput, AnEvalThatNobodyCanRunYetIsPlannedAndRefusedByName) {
  world_.write_sweep(replaced(TinyWorld::sweep_text(), "math_held.jsonl}",
                              "math_held.jsonl}, humaneval: {samples: 5}, winogrande: {}"));
  const Ended planned = world_.ranktide({"plan", world_.sweep().string()});
  EXPECT_EQ(planned.exit_code, 0) << planned.err;
  const Ended run = run_sweep();
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, AllOf(HasSubstr("eval humaneval: kind code can be planned, not run yet"),
                             HasSubstr("eval winogrande: its items"), HasSubstr("write data: FILE.jsonl")));
  EXPECT_TRUE(nothing_was_begun());
}

TEST_F(BadInput, AnUnknownTokenizerKindIsRefusedByItsName) {
  write_text(world_.model() / "tokenizer.json",
             replaced(read_text(world_.model() / "tokenizer.json"), "\"BPE\"", "\"Unigram\""));
  const Ended ended = run_sweep();
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err, AllOf(HasSubstr("tokenizer.json"), HasSubstr("Unigram"),
                               HasSubstr("supported are byte-level BPE tokenizers as those of")));
  EXPECT_TRUE(nothing_was_begun());
}

TEST_F(BadInput, RowsLongerThanTheModelsContextAreRefusedByPlanToo) {
  world_.write_sweep(replaced(TinyWorld::sweep_text(), "max_tokens: 64", "max_tokens: 513"));
  for (const char* command : {"plan", "run"}) {
    const Ended ended = world_.ranktide({command, world_.sweep().string()});
    EXPECT_EQ(ended.exit_code, 2);
    EXPECT_THAT(ended.err, AllOf(HasSubstr("tiny.yaml: data.max_tokens: 513 is longer than the context of"),
                                 HasSubstr("512 tokens (max_position_embeddings")));
  }
  EXPECT_TRUE(nothing_was_begun());
}

TEST_F(BadInput, WhatWouldCutTheStudyIsRefusedBeforeAnythingRuns) {
  const Ended ended = run_text(TinyWorld::sweep_text() + "run: {stop_early: {by: code_loss}}\n");
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err, HasSubstr("run.stop_early compares the values of tuned axes, and nothing is tuned"));
  EXPECT_TRUE(nothing_was_begun());
}

TEST_F(BadInput, ADataFolderThatCannotBeMadeIsNamedWithARemedy) {
  write_text(world_.folder() / "file", "");
  const Ended ended = run({ranktide_program().string(), "run", world_.sweep().string(), "--data-dir",
                           (world_.folder() / "file/inside").string()},
                          world_.folder() / "output");
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_THAT(ended.err, AllOf(HasSubstr((world_.folder() / "file/inside").string()), HasSubstr("--data-dir"),
                               Not(HasSubstr("reading"))));
  EXPECT_EQ(read_text(world_.folder() / "file"), "");
  EXPECT_TRUE(fs::is_regular_file(world_.folder() / "file"));
  EXPECT_TRUE(nothing_was_begun());
}

TEST_F(BadInput, ADataFolderThatCannotBeWrittenIsNamedWithARemedy) {
  const ReadOnlyFolder locked(world_.folder() / "locked");
  if (!locked.is_read_only())
    GTEST_SKIP() << "root writes everywhere, and may not mount a read-only file system";
  const Ended ended = run({ranktide_program().string(), "run", world_.sweep().string(), "--data-dir",
                           (world_.folder() / "locked").string()},
                          world_.folder() / "output");
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_THAT(ended.err,
              AllOf(HasSubstr("cannot write in data folder " + (world_.folder() / "locked").string()),
                    HasSubstr("make it writable for this user, or name another folder with --data-dir")));
  EXPECT_TRUE(fs::is_empty(world_.folder() / "locked"));
  const Ended plan = run({ranktide_program().string(), "plan", world_.sweep().string(), "--data-dir",
                          (world_.folder() / "locked").string()},
                         world_.folder() / "output");
  EXPECT_EQ(plan.exit_code, 0);
  EXPECT_THAT(plan.out, AllOf(HasSubstr("8 new"), Not(HasSubstr("provisional"))));
}

// Every file of a data folder by its path, but for the one that says who serves it.
std::map<fs::path, std::string> contents_of(const fs::path& folder) {
  std::map<fs::path, std::string> contents;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file() && entry.path() != folder / "lock")
      contents[entry.path()] = read_text(entry.path());
  return contents;
}

TEST_F(BadInput, ADataFolderOfANewerVersionIsLeftAlone) {
  ASSERT_EQ(run_sweep().exit_code, 0);
  run({"/usr/bin/sqlite3", (world_.data() / "ranktide.db").string(), "PRAGMA user_version = 999"},
      world_.folder() / "sqlite");
  const auto before = contents_of(world_.data());
  const Ended ended = run_sweep();
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_THAT(ended.err, AllOf(HasSubstr((world_.data() / "ranktide.db").string() + " has data version 999"),
                               HasSubstr("use the newer ranktide that wrote it, or another --data-dir")));
  EXPECT_TRUE(contents_of(world_.data()) == before) << "a refused start leaves every byte as it was";
}

// Makes the database what schema version 4 was: nothing says with which numerics a trial was computed, or
// where.
void age(const fs::path& database, const fs::path& output) {
  const std::string file = "'" + database.string() + "'";
  const Ended aged =
      run({"/bin/sh", "-c",
           "sqlite3 " + file +
               " \"SELECT 'DROP VIEW '||name||';' FROM sqlite_schema WHERE type='view'\" | sqlite3 " + file +
               " && sqlite3 " + file +
               " 'ALTER TABLE trial DROP COLUMN model_from; ALTER TABLE trial DROP COLUMN listed_in;"
               " DROP TABLE branch; DROP TABLE stopped_cell; ALTER TABLE stage DROP COLUMN device; ALTER TABLE "
               "stage DROP COLUMN numerics;"
               " PRAGMA user_version = 4'"},
          output);
  ASSERT_EQ(aged.exit_code, 0) << aged.err;
}

TEST_F(BadInput, ADataFolderOfAnOlderVersionIsBroughtUpToDateByRunAndNamedByPlan) {
  ASSERT_EQ(run_sweep().exit_code, 0);
  age(world_.data() / "ranktide.db", world_.folder() / "sqlite");
  const Ended plan = world_.ranktide({"plan", world_.sweep().string()});
  EXPECT_EQ(plan.exit_code, 1);
  EXPECT_THAT(plan.err, AllOf(HasSubstr("has data version 4"), HasSubstr("`ranktide run`")));
  const Ended again = run_sweep();
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("8 done"));
}

TEST_F(BadInput, ASecondRunOnTheSameDataFolderIsRefusedAndHarmsNothing) {
  world_.write_sweep(TinyWorld::sweep_text(250, 1));
  Program first(world_.command({"run", world_.sweep().string(), "--slots", "1"}), world_.folder() / "first");
  ASSERT_TRUE(first.says("step ", 300s));
  const Ended second = run_sweep();
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, AllOf(HasSubstr(world_.data().string() + " is in use: process " +
                                          std::to_string(first.pid()) + " serves it"),
                                HasSubstr("name another folder with --data-dir")));
  EXPECT_EQ(first.wait(1800s).exit_code, 0);
}

TEST_F(BadInput, AFullDiskIsSaidWithItsRemedyAndTheSameCommandGoesOnWhenThereIsSpace) {
  const fs::path small = world_.folder() / "small";
  fs::create_directories(small);
  if (geteuid() != 0 || mount("tmpfs", small.c_str(), "tmpfs", 0, "size=700k") != 0)
    GTEST_SKIP() << "needs the right to mount a small tmpfs";
  const std::vector<std::string> command{ranktide_program().string(), "run", world_.sweep().string(),
                                         "--data-dir", (small / "d").string()};
  const Ended full = run(command, world_.folder() / "output");
  EXPECT_EQ(full.exit_code, 74);
  EXPECT_THAT(full.err, AllOf(HasSubstr("small"), HasSubstr("database or disk is full"),
                              HasSubstr("free space on the disk")));
  EXPECT_EQ(mount("tmpfs", small.c_str(), "tmpfs", MS_REMOUNT, "size=64m"), 0);
  const Ended ended = run(command, world_.folder() / "output");
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("lora"));
  umount2(small.c_str(), MNT_DETACH);
}

}  // namespace
}  // namespace ranktide::e2e
