#include "cli/device_table.h"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/command.h"
#include "common/vocabulary/numerics.h"
#include "common/vocabulary/wire.h"
#include "tests/common/model/product_rates.h"
#include "tests/temporary_folder.h"

namespace ranktide::cli {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class DeviceTable : public testing::Test {
 protected:
  fs::path data() const { return folder_.path() / "data"; }
  fs::path file(int threads = 1) const { return device_table_file(data(), this_processor(), threads); }
  std::optional<ProductTable> kept(int threads = 1) {
    return kept_table(data(), threads, [&](const std::string& line) { said_ += line; });
  }
  void overwrite(const std::string& text) const { std::ofstream(file()) << text; }
  // Products as this machine would have them.
  static ProductTable own_table(int threads = 1) {
    ProductTable table = products_at(1);
    table.device = this_processor().name;
    table.instructions = this_processor().instructions;
    table.threads = threads;
    table.numerics_version = kNumericsVersion;
    return table;
  }
  // A trainer that only prints.
  fs::path trainer(const std::string& script) const {
    const fs::path program = folder_.path() / "trainer";
    std::ofstream(program) << "#!/bin/sh\n" << script;
    fs::permissions(program, fs::perms::owner_all);
    return program;
  }
  std::string complaint_of(const fs::path& trainer) const {
    try {
      measured_table(trainer, 1);
    } catch (const CommandError& error) {
      return error.what();
    }
    return "";
  }

  std::string said_;
  TemporaryFolder folder_;
};

TEST_F(DeviceTable, IsReadAsItWasKept) {
  EXPECT_FALSE(kept());
  keep_table(data(), own_table());
  const auto table = kept();
  ASSERT_TRUE(table);
  EXPECT_TRUE(equal(*table, own_table()));
  EXPECT_EQ(said_, "");
}

TEST_F(DeviceTable, IsOnePerNumberOfThreads) {
  keep_table(data(), own_table(2));
  EXPECT_FALSE(kept(1));
  EXPECT_TRUE(kept(2));
  EXPECT_EQ(said_, "");
}

TEST_F(DeviceTable, TellsOfSlotsOfThisProcessorWithAsManyThreads) {
  keep_table(data(), own_table(1));
  keep_table(data(), own_table(8));
  const auto threads = [&](const TimedSlots& slots) {
    const auto table = kept_table(data(), slots, [&](const std::string& line) { said_ += line; });
    return table ? table->threads : 0;
  };
  const std::string here = this_processor().name;
  EXPECT_EQ(threads(cores_of(here, 8)), 8);
  EXPECT_EQ(threads(cores_of(here, 1)), 1);
  EXPECT_EQ(threads(cores_of(here, 2)), 0) << "of two threads nobody measured anything";
  EXPECT_EQ(threads(cores_of("Make Of Tides", 1)), 0) << "a worker on another machine";
  EXPECT_EQ(threads(cores_of("", 1)), 0) << "a worker that does not tell";
  EXPECT_EQ(threads(TimedSlots(ComputedOn::gpu)), 1);
  EXPECT_EQ(said_, "");
}

TEST_F(DeviceTable, LeavesNoDraftBehind) {
  keep_table(data(), own_table());
  keep_table(data(), own_table());
  EXPECT_EQ(std::distance(fs::directory_iterator(data() / "devices"), fs::directory_iterator()), 1);
}

TEST_F(DeviceTable, ThatIsTornIsIgnoredWithAWord) {
  keep_table(data(), own_table());
  const std::string whole = to_json(own_table()).dump(1);
  overwrite(whole.substr(0, whole.size() / 2));
  EXPECT_FALSE(kept());
  EXPECT_THAT(said_, AllOf(HasSubstr(file().string()), HasSubstr("is ignored"),
                           HasSubstr("`ranktide doctor --measure` writes it anew")));
}

TEST_F(DeviceTable, OfAnotherMachineIsIgnoredWithAWord) {
  keep_table(data(), own_table());
  ProductTable foreign = own_table();
  foreign.device = "Another One";
  overwrite(to_json(foreign).dump());
  EXPECT_FALSE(kept());
  EXPECT_THAT(said_, HasSubstr("it was measured on Another One"));
}

TEST_F(DeviceTable, OfAnotherVersionOfTheArithmeticIsIgnoredWithAWord) {
  for (const int threads : {1, 8}) {
    ProductTable old = own_table(threads);
    old.numerics_version = kNumericsVersion - 1;
    keep_table(data(), old);
    said_ = "";
    EXPECT_FALSE(kept(threads));
    EXPECT_THAT(said_,
                HasSubstr("it was measured by version " + std::to_string(kNumericsVersion - 1) +
                          " of the trainer's arithmetic, and this is " + std::to_string(kNumericsVersion)));
    EXPECT_THAT(said_, HasSubstr("`" + measure_command(threads) + "` writes it anew"));
  }
  EXPECT_EQ(measure_command(8), "ranktide doctor --measure --threads 8");
}

TEST_F(DeviceTable, ThatCannotBeAskedIsIgnoredWithAWord) {
  keep_table(data(), own_table());
  ProductTable holed = own_table();
  holed.rows.pop_back();
  overwrite(to_json(holed).dump());
  EXPECT_FALSE(kept());
  EXPECT_THAT(said_, HasSubstr("no full grid of sizes"));
}

TEST_F(DeviceTable, WithoutAFolderToKeepItInSaysSo) {
  std::ofstream(data()) << "a file where the folder should be";
  EXPECT_THROW(keep_table(data(), own_table()), CommandError);
}

TEST_F(DeviceTable, ThatCannotTakeItsPlaceLeavesNoDraftEither) {
  fs::create_directories(file() / "something in the way");
  EXPECT_THROW(keep_table(data(), own_table()), CommandError);
  EXPECT_EQ(std::distance(fs::directory_iterator(data() / "devices"), fs::directory_iterator()), 1);
}

TEST_F(DeviceTable, IsWhatTheTrainerPrints) {
  const fs::path program = trainer("cat <<'END'\n" + to_json(own_table()).dump() + "\nEND\n");
  EXPECT_TRUE(equal(measured_table(program, 1), own_table()));
}

TEST_F(DeviceTable, OfATrainerThatFailsOrPrintsSomethingElseIsAnError) {
  EXPECT_THAT(complaint_of(trainer("exit 3\n")), HasSubstr("gemm --json --threads 1 failed"));
  EXPECT_THAT(complaint_of(trainer("echo hello\n")), HasSubstr("printed no table"));
}

}  // namespace
}  // namespace ranktide::cli
