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

  const std::string more = "lora:lora.rank=4,8";
  EXPECT_THAT(ask({"plan", world.sweep().string(), more, "--diff", "tiny"}).out,
              HasSubstr("\nlora.rank 4 -> [4, 8] in block lora: 8 trials kept, 4 new, 0 no longer listed\n"));
  const Json changed =
      parse_json(ask({"plan", world.sweep().string(), "seeds=1", "--diff", "tiny", "--json"}).out);
  EXPECT_EQ(changed.at("diff").at("changes"), parse_json(R"([{"what": "seeds - 1", "blocks": []}])"));
  EXPECT_EQ(changed.at("diff").at("gone"), 4);
  EXPECT_EQ(ask({"plan", world.sweep().string(), "--diff", "nobody"}).exit_code, 5);
  EXPECT_EQ(world.ranktide({"plan", world.sweep().string(), more, "--diff", "tiny"}).out,
            ask({"plan", world.sweep().string(), more, "--diff", "tiny"}).out);

  const Json trials = parse_json(ask({"query", "tiny", "--trials", "--json"}).out).at("rows");
  const std::string first = trials.at(0).at("trial"), second = trials.at(1).at("trial");
  const Json compared = parse_json(ask({"compare", first.substr(0, 12), second, "--json"}).out);
  EXPECT_EQ(compared.at("a"), first);
  EXPECT_EQ(compared.at("settings"), parse_json(R"([{"key": "seed", "a": 0, "b": 1}])"));
  EXPECT_THAT(world.ranktide({"compare", first, second}).out, HasSubstr("\nseed   0             1\n"));
  EXPECT_THAT(ask({"compare", "tiny", "tiny"}).out, HasSubstr("nothing differs: 8 trials kept"));
  EXPECT_EQ(ask({"compare", "tiny", first}).exit_code, 5);

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
