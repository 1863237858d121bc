// What a client elsewhere gets of a data folder that a coordinator serves: the report, what a plan need not
// train again, and what trials left. It has no way to the folder but HTTP.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/vocabulary/sha256.h"
#include "tests/e2e/tiny_world.h"

namespace ranktide::e2e {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

namespace fs = std::filesystem;

TEST(ResultsOverHttp, AClientElsewhereHasTheReportThePlanAndTheAdapters) {
  const TinyWorld world;
  ASSERT_EQ(world.ranktide({"run", world.sweep().string()}).exit_code, 0);
  const Program coordinator(
      world.command({"coordinator", "--bind", "tcp://127.0.0.1:*", "--http", "127.0.0.1:0"}),
      world.folder() / "coordinator");
  ASSERT_TRUE(coordinator.says("to clients at", 60s)) << read_text(world.folder() / "coordinator/err");
  std::string address = read_text(world.data() / "coordinator.http");
  address = "http://" + address.substr(0, address.find('\n'));
  const fs::path home = world.folder() / "elsewhere";
  const auto ask = [&](std::vector<std::string> words) {
    words.insert(words.begin(), ranktide_program().string());
    words.insert(words.end(), {"--coordinator", address, "--data-dir", (home / "data").string()});
    return run(words, world.folder() / "client");
  };

  const fs::path page = home / "page.html";
  const Ended report = ask({"report", "tiny", "-o", page.string()});
  ASSERT_EQ(report.exit_code, 0) << report.err;
  ASSERT_EQ(world.ranktide({"report", "tiny", "-o", (world.folder() / "page.html").string()}).exit_code, 0);
  EXPECT_EQ(read_text(page), read_text(world.folder() / "page.html"));
  EXPECT_EQ(ask({"report", "nobody"}).exit_code, 5);

  const Ended plan = ask({"plan", world.sweep().string()});
  EXPECT_THAT(plan.out, HasSubstr("8 trials: 8 done, 0 resumable, 0 new")) << plan.err;
  EXPECT_THAT(ask({"plan", world.sweep().string(), "budget.steps=9"}).out, HasSubstr("8 new"));

  const Json rows = parse_json(ask({"query", "tiny", "--trials", "--where", "method = lora", "--json"}).out);
  const std::string trial = rows.at("rows").at(0).at("trial");
  const Ended fetched = ask({"fetch", trial.substr(0, 12), "-o", (home / "adapter").string()});
  ASSERT_EQ(fetched.exit_code, 0) << fetched.err;
  EXPECT_THAT(fetched.err, HasSubstr("fetching adapter_model.safetensors"));
  for (const char* name : {"adapter_model.safetensors", "adapter_config.json"})
    EXPECT_EQ(sha256_of_file(home / "adapter" / name),
              sha256_of_file(world.data() / "artifacts" / trial / name));
  EXPECT_EQ(ask({"fetch", "zz"}).exit_code, 5);
  EXPECT_FALSE(fs::exists(home / "data" / "ranktide.db"));
}

TEST(ResultsOverHttp, AnAddressThatIsNotThereIsNoReasonToReadAFolder) {
  const TinyWorld world;
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"report", "tiny"}, {"plan", world.sweep().string()}, {"fetch", "a"}}) {
    std::vector<std::string> all = words;
    all.insert(all.end(), {"--coordinator", "http://127.0.0.1:1"});
    EXPECT_EQ(world.ranktide(all).exit_code, 3) << words[0];
  }
}

}  // namespace
}  // namespace ranktide::e2e
