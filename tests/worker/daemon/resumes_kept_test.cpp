// What a worker keeps for resumes of units that it has lost, and how it comes to an end.
#include <algorithm>
#include <atomic>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/net/keys.h"
#include "tests/worker/daemon/service_world.h"
#include "worker/daemon/work_folder.h"

namespace ranktide {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
namespace fs = std::filesystem;

class ResumesKept : public testing::Test, protected ServiceWorld {
 protected:
  static UnitId unit(char name) { return UnitId{std::string(64, name)}; }
  static void was_used(const fs::path& path, int days_ago) {
    fs::last_write_time(path, fs::file_time_type::clock::now() - days_ago * 24h);
  }
  // Returns: a folder of that unit with a file in a folder, all of that age.
  fs::path kept(const std::string& kind, char name, int days_ago) const {
    const fs::path out = work() / kind / unit(name).text;
    fs::create_directories(out / "1");
    std::ofstream(out / "1" / "step") << 7;
    for (const fs::path& each : {out / "1" / "step", out / "1", out}) was_used(each, days_ago);
    return out;
  }
};

TEST_F(ResumesKept, AreForgottenFourWeeksAfterTheirLastUse) {
  const fs::path checkpoints = kept("checkpoints", 'a', 29), evals = kept("evals", 'a', 40);
  const fs::path lately = kept("checkpoints", 'b', 27);
  const fs::path written = kept("checkpoints", 'c', 29);
  was_used(written / "1" / "step", 1);
  const fs::path old_of_written = kept("evals", 'c', 29);
  const fs::path used = kept("evals", 'd', 29);
  const fs::path no_unit = work() / "checkpoints" / "mine";
  fs::create_directories(no_unit);
  was_used(no_unit, 1'000);
  const WorkFolder folder(work());
  folder.use(unit('d'));
  EXPECT_THAT(folder.unused_for(kResumesKept), ElementsAre(unit('a')));
  EXPECT_TRUE(folder.forget_unused(unit('a'), kResumesKept));
  EXPECT_FALSE(fs::exists(checkpoints));
  EXPECT_FALSE(fs::exists(evals));
  for (const fs::path& each : {lately, written, old_of_written, used, no_unit})
    EXPECT_TRUE(fs::exists(each)) << each;
}

TEST_F(ResumesKept, AWorkerLooksForThoseByItself) {
  const fs::path lost = kept("checkpoints", 'a', 29), lately = kept("checkpoints", 'b', 27);
  const WorkerService alone({.work_folder = work(),
                             .coordinator_endpoint = free_endpoint(),
                             .coordinator_key = make_key_pair().public_key,
                             .unused_looked_for_every = Duration{10}});
  EXPECT_TRUE(eventually([&] { return !fs::exists(lost); }));
  EXPECT_TRUE(fs::exists(lately));
}

TEST_F(ResumesKept, OneThatIsGoneOnWithAfterTheLookStays) {
  const fs::path kept_one = kept("checkpoints", 'a', 29);
  const WorkFolder folder(work());
  ASSERT_THAT(folder.unused_for(kResumesKept), ElementsAre(unit('a')));
  folder.use(unit('a'));
  EXPECT_FALSE(folder.forget_unused(unit('a'), kResumesKept));
  EXPECT_TRUE(fs::exists(kept_one));
}

TEST_F(ResumesKept, OneUnitATurnIsForgottenSoThatHeartbeatsGoOutBetween) {
  std::vector<fs::path> lost;
  for (const char name : {'a', 'b', 'c', 'd', 'e'}) lost.push_back(kept("checkpoints", name, 29));
  std::atomic<int64_t> left = 5, most_a_turn = 0;
  const WorkerService alone({.work_folder = work(),
                             .coordinator_endpoint = free_endpoint(),
                             .coordinator_key = make_key_pair().public_key,
                             .unused_looked_for_every = Duration{10},
                             .after_turn = [&] {
                               const int64_t now =
                                   std::count_if(lost.begin(), lost.end(),
                                                 [](const fs::path& each) { return fs::exists(each); });
                               most_a_turn = std::max<int64_t>(most_a_turn, left.exchange(now) - now);
                             }});
  EXPECT_TRUE(eventually([&] { return left == 0; }));
  EXPECT_EQ(most_a_turn, 1);
}

TEST_F(ResumesKept, AnAttemptThatGoesOnUsesThem) {
  start_coordinator();
  start_worker(1, 20);
  submit(sweep_of({.seeds = {1}, .steps = 1'000}));
  ASSERT_TRUE(eventually([&] { return count("point") > 3; }));
  worker->drain();
  worker->wait();
  const fs::path left = work() / "checkpoints" / select("SELECT id FROM stage").at(0);
  for (const fs::path& each : {left / "step", left}) was_used(each, 29);
  const int64_t before = count("point");
  start_worker(1, 20);
  ASSERT_TRUE(eventually([&] { return count("point") > before; }));
  worker->stop_now();
  worker->wait();
  EXPECT_TRUE(fs::exists(left / "step"));
  EXPECT_THAT(WorkFolder(work()).unused_for(kResumesKept), IsEmpty());
}

}  // namespace
}  // namespace ranktide
