#include "cli/named_content.h"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/folders.h"
#include "cli/inputs.h"
#include "common/content/hash_cache.h"
#include "common/sweep/resolve.h"
#include "common/sweep/sweep_yaml.h"
#include "common/text/data_files.h"
#include "common/vocabulary/content_name.h"
#include "common/vocabulary/sha256.h"
#include "coordinator/edge/http_server.h"
#include "coordinator/edge/serve.h"
#include "tests/temporary_folder.h"

namespace ranktide::cli {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const std::string kRows = "{\"prompt\": \"1 + 1\", \"completion\": \"2\"}\n";
const std::string kText = "[Verse 1]\nThe tide comes in.\n";

// A machine with a data folder and files; another one with a coordinator.
class NamedContent : public testing::Test {
 protected:
  fs::path path(const std::string& name) const { return folder_.path() / name; }
  fs::path data() const { return path("data"); }
  fs::path write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }
  void was_hashed(const fs::path& file) const { HashCache(cache_folder(data())).sha256_of(file); }
  void coordinator_has(const std::string& text) {
    service_.emplace(CoordinatorServiceConfig{.data_folder = path("far away")});
    server_.emplace(HttpServerConfig{.data_folder = path("far away"), .blobs = &service_->blobs()},
                    service_->mailbox());
    if (!text.empty()) service_->blobs().append(sha256_hex(text), static_cast<int64_t>(text.size()), 0, text);
  }

  SweepSpec sweep(const std::string& train, const std::string& eval = "held.jsonl") const {
    return read_sweep(write("sweep.yaml",
                            "version: 1\nname: s\nmodel.path: model\nmethod: full\ntrain.lr: 1\n"
                            "budget.steps: 1\ndata.train: " +
                                train + "\neval.learn: {e: {data: " + eval + "}}\n")
                          .string(),
                      {});
  }
  // Returns: the path that data.train has then.
  std::string placed(SweepSpec spec) {
    said_ = place_named_content(
        spec, {.data = data(), .coordinator = [this] { return client(); }, .say = [](const std::string&) {}});
    return spec.blocks.at(0).constants.at("data.train").at(0).at("path").get<std::string>();
  }
  std::optional<HttpClient> client() const {
    if (!server_) return std::nullopt;
    return HttpClient({.host = "127.0.0.1", .port = std::to_string(server_->address().port)});
  }
  static std::string text_of(const fs::path& file) { return read_text(file); }
  static std::string named(const std::string& text) { return "sha256:" + sha256_hex(text); }

  TemporaryFolder folder_;
  std::optional<CoordinatorService> service_;
  std::optional<HttpServer> server_;
  std::vector<std::string> said_;
};

TEST_F(NamedContent, AFileThatWasHashedBeforeIsFoundWhateverItIsCalled) {
  was_hashed(write("code.jsonl", kRows));
  fs::rename(path("code.jsonl"), path("renamed"));
  was_hashed(path("renamed"));
  const std::string place = placed(sweep(named(kRows)));
  EXPECT_THAT(said_, IsEmpty());
  EXPECT_EQ(text_of(place), kRows);
  EXPECT_EQ(fs::path(place).extension(), ".jsonl");
}

TEST_F(NamedContent, AFileOfAnIncludedCellIsFoundToo) {
  was_hashed(write("code.jsonl", kRows));
  SweepSpec spec = sweep("plain.jsonl");
  const Json train{{{"path", named(kRows)}, {"weight", 1.0}}};
  spec.blocks.at(0).include = {{.points = {{.label = "c", .set = {{"data.train", train}}}}, .where = ""}};
  place_named_content(spec, {.data = data(), .coordinator = [] { return std::nullopt; }, .say = [](auto&) {}});
  const Json found = spec.blocks[0].include[0].points[0].set.at("data.train");
  EXPECT_EQ(text_of(found.at(0).at("path").get<std::string>()), kRows);
}

TEST_F(NamedContent, WhatOnlyTheCoordinatorHasIsFetchedOnce) {
  const std::string large(2'500'000, 'x');
  coordinator_has(large);
  const std::string place = placed(sweep(named(large)));
  EXPECT_THAT(said_, IsEmpty());
  EXPECT_EQ(text_of(place), large);
  server_.reset();
  EXPECT_EQ(placed(sweep(named(large))), place);
}

TEST_F(NamedContent, ACutFetchGoesOnAndADamagedOneBeginsAnew) {
  const std::string large(2'500'000, 'x');
  coordinator_has(large);
  const fs::path part = cache_folder(data()) / "content" / (sha256_hex(large) + ".part");
  fs::create_directories(part.parent_path());
  std::ofstream(part) << std::string(1'000'000, 'y');
  placed(sweep(named(large)));
  EXPECT_THAT(said_, ElementsAre(HasSubstr("what came over the network is something else")));
  std::ofstream(part) << std::string(1'000'000, 'x');
  EXPECT_EQ(text_of(placed(sweep(named(large)))), large);
}

TEST_F(NamedContent, WhatTheFoldersOwnCoordinatorKeepsIsTakenFromThere) {
  fs::create_directories(data() / "blobs");
  std::ofstream(data() / "blobs" / sha256_hex(kRows)) << kRows;
  EXPECT_EQ(text_of(placed(sweep(named(kRows)))), kRows);
}

TEST_F(NamedContent, TheKindIsWhatTheContentOrTheNameSays) {
  was_hashed(write("song", kText));
  EXPECT_EQ(fs::path(placed(sweep(named(kText)))).extension(), ".txt");
  EXPECT_EQ(fs::path(placed(sweep(named(kText) + ".md"))).extension(), ".md");
  placed(sweep(named(kText) + ".pdf"));
  EXPECT_THAT(said_, ElementsAre(HasSubstr("the name's ending says nothing about its kind")));
  EXPECT_EQ(kind_of_content("\n[ {\"a\": 1}]"), FileKind::json_rows);
  EXPECT_EQ(kind_of_content("{x}"), FileKind::text);
  EXPECT_EQ(kind_of_content(""), FileKind::text);
}

TEST_F(NamedContent, ALabelOfItIsTwelveDigitsAlsoWhereNobodyHasIt) {
  const std::string brief = sha256_hex(kText).substr(0, 12);
  EXPECT_EQ(regime_label({.train = {{.path = placed(sweep(named(kText)))}}}), brief + ".prompt");
  was_hashed(write("song", kText));
  EXPECT_EQ(regime_label({.train = {{.path = placed(sweep(named(kText)))}}}), brief + ".text");
  EXPECT_EQ(regime_label({.train = {{.path = "/data/code.txt"}}}), "code.text");
}

TEST_F(NamedContent, AnEvalsFileIsNamedTheSameWay) {
  was_hashed(write("held.txt", kText));
  SweepSpec spec = sweep("code.jsonl", named(kText));
  place_named_content(spec, {.data = data(), .coordinator = {}, .say = {}});
  EXPECT_EQ(text_of(spec.blocks.at(0).constants.at("eval.learn").at("e").at("data").get<std::string>()), kText);
}

TEST_F(NamedContent, AnEvalsFileOfAnotherKindThanItsContentIsToldWithItsKind) {
  const auto read_as = [&](const std::string& file) {
    SweepSpec spec = sweep("code.jsonl", write(file, kRows).string());
    return read_inputs(
               spec,
               {.data = data(), .coordinator = [] { return std::nullopt; }, .say = [](const std::string&) {}})
        .inputs.read_as;
  };
  EXPECT_TRUE(read_as("held.jsonl").empty());
  EXPECT_EQ(read_as("held.txt"), (std::map<std::string, std::string>{{path("held.txt").string(), "text"}}));
}

TEST_F(NamedContent, AFileThatChangedInPlaceIsNotTakenForItsOldContent) {
  was_hashed(write("code.jsonl", kRows));
  ASSERT_EQ(text_of(placed(sweep(named(kRows)))), kRows);
  write("code.jsonl", "{\"text\": \"other\"}\n");
  EXPECT_EQ(placed(sweep(named(kRows))), named(kRows));
  EXPECT_EQ(said_.size(), 1u);
}

TEST_F(NamedContent, WhatNobodyHasIsNamedWithWhereItWasLookedForAndWhatToDo) {
  EXPECT_EQ(placed(sweep(named(kRows))), named(kRows));
  EXPECT_THAT(said_, ElementsAre(HasSubstr("and no coordinator was asked; submit a sweep with its path once")));
  coordinator_has("something else");
  placed(sweep(named(kRows)));
  ASSERT_EQ(said_.size(), 1u);
  for (const std::string& part :
       {named(kRows), (cache_folder(data()) / "content").string(),
        "the coordinator at " + client()->url() + " has none either", std::string("or copy it to ")})
    EXPECT_THAT(said_[0], HasSubstr(part));
}

TEST_F(NamedContent, ACopyWhereTheMessageSaysIsFound) {
  placed(sweep(named(kRows)));
  const std::string target = said_.at(0).substr(said_[0].rfind(' ') + 1);
  std::ofstream(target) << kRows;
  EXPECT_EQ(text_of(placed(sweep(named(kRows)))), kRows);
}

TEST_F(NamedContent, WhatIsNoHashIsRefusedWhereItStands) {
  const auto error = [&](const std::string& train) -> std::string {
    try {
      sweep(train);
    } catch (const SpecError& refused) {
      return refused.what();
    }
    return "taken";
  };
  EXPECT_THAT(error("sha256:abc"),
              HasSubstr("sweep.yaml:7:13: data.train: not a file's hash; write sha256: and"));
  EXPECT_FALSE(content_name_of("sha256:" + std::string(64, 'A')));
  EXPECT_FALSE(content_name_of(named(kRows) + "/../x"));
  EXPECT_EQ(to_text(*content_name_of("sha256: " + sha256_hex(kRows) + ".txt")), named(kRows) + ".txt");
}

}  // namespace
}  // namespace ranktide::cli
