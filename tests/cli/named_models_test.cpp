#include "cli/named_models.h"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/brought_models.h"
#include "cli/folders.h"
#include "common/content/hash_cache.h"
#include "common/model/base_identity.h"
#include "common/sweep/grid.h"
#include "common/sweep/identity.h"
#include "common/sweep/overrides.h"
#include "common/sweep/sweep_yaml.h"
#include "common/text/data_files.h"
#include "common/text/tokenizer.h"
#include "common/vocabulary/sha256.h"
#include "coordinator/edge/http_server.h"
#include "coordinator/edge/serve.h"
#include "tests/temporary_folder.h"

namespace ranktide::cli {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A machine with a data folder and model folders, of which some were hashed.
class NamedModels : public testing::Test {
 protected:
  fs::path path(const std::string& name) const { return folder_.path() / name; }
  fs::path data() const { return path("data"); }
  static void write(const fs::path& file, const std::string& text) {
    fs::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
  }
  // `tokenizer` is one of tests/golden/tokenizer; empty: the folder has none.
  fs::path model(const std::string& name, const std::string& weights, const std::string& tokenizer) const {
    write(path(name) / "config.json", "{}");
    write(path(name) / "model.safetensors", weights);
    if (!tokenizer.empty()) add_tokenizer(path(name), tokenizer);
    return path(name);
  }
  static void add_tokenizer(const fs::path& folder, const std::string& tokenizer) {
    fs::create_directories(folder);
    for (const char* name : {"tokenizer.json", "tokenizer_config.json"})
      fs::copy_file(fs::path(RANKTIDE_SOURCE_DIR) / "tests/golden/tokenizer" / tokenizer / name, folder / name);
  }
  fs::path hashed(const fs::path& folder) const {
    HashCache cache(cache_folder(data()));
    for (const auto& file : fs::directory_iterator(folder)) cache.sha256_of(file.path());
    return folder;
  }
  static std::string base_of(const fs::path& folder) { return "sha256:" + base_id_of(folder).text; }
  static std::string tokenizer_of(const fs::path& folder) {
    return "sha256:" + Tokenizer::load(folder).sha256();
  }

  SweepSpec sweep(const std::string& model, const std::string& tokenizer = "") const {
    write(path("sweep.yaml"),
          "version: 1\nname: s\nmethod: full\ntrain.lr: 1\nbudget.steps: 1\n"
          "data.train: a.txt\neval.learn: {e: {data: b.txt}}\nmodel.path: " +
              model + "\n" + (tokenizer.empty() ? "" : "model.tokenizer: " + tokenizer + "\n"));
    return read_sweep(path("sweep.yaml").string(), {});
  }
  // `more`: what varies, and by which rules.
  SweepSpec sweep_with(const std::string& more) const {
    write(path("sweep.yaml"),
          "version: 1\nname: s\nmethod: full\ntrain.lr: 1\ndata.train: a.txt\n"
          "eval.learn: {e: {data: b.txt}}\n" +
              more);
    return read_sweep(path("sweep.yaml").string(), {});
  }
  // What its trials are, but for the names of their models.
  static std::vector<std::string> trials(const SweepSpec& spec) {
    std::vector<std::string> out;
    const Grid grid(spec);
    for (int64_t raw = 0; raw < grid.raw_count(); ++raw)
      if (const auto trial = grid.at(raw))
        out.push_back(std::to_string(raw) + " " + to_json(trial->settings.train).dump());
    return out;
  }
  std::vector<std::string> place(SweepSpec& spec) {
    PlacedModels placed = place_named_models(
        spec, {.data = data(), .coordinator = [this] { return client(); }, .say = [](const std::string&) {}});
    elsewhere_ = std::move(placed.elsewhere);
    return placed.messages;
  }
  // Returns: the path that the key has then.
  std::string placed(SweepSpec spec, const char* key = "model.path") {
    said_ = place(spec);
    return spec.blocks.at(0).constants.at(key).get<std::string>();
  }

  // A coordinator on another machine.
  void coordinator_serves() {
    service_.emplace(CoordinatorServiceConfig{.data_folder = path("far away")});
    server_.emplace(HttpServerConfig{.data_folder = path("far away"), .blobs = &service_->blobs()},
                    service_->mailbox());
  }
  // A sweep of it named this folder, which then goes; what is not as large as weights was sent with it.
  void was_submitted(const fs::path& folder, const std::string& sweep_name = "s", bool were_sent = true) {
    SweepSpec spec = sweep(folder.string());
    spec.name = sweep_name;
    const WantedInputs wanted = wanted_inputs(spec);
    const std::string tokenizer = Tokenizer::load(folder).sha256();
    spec.inputs.models[model_key(wanted.models.at(0))] = {
        .path = folder.string(), .base = base_id_of(folder), .tokenizer_sha256 = tokenizer};
    spec.inputs.data[data_key(wanted.data.at(0).data, tokenizer)] = {
        .sha256 = sha256_hex("data"), .documents = 1, .tokens = 64, .rows = 1};
    for (const std::string& file : wanted.files) spec.inputs.files[file] = sha256_hex(file);
    for (const auto& file : fs::directory_iterator(folder)) {
      const std::string text = read_text(file.path());
      spec.inputs.contents[file.path().string()] = {sha256_hex(text), static_cast<int64_t>(text.size())};
      if (were_sent && file.path().extension() != ".safetensors")
        service_->blobs().append(sha256_hex(text), static_cast<int64_t>(text.size()), 0, text);
    }
    const Answer answer = service_->submit("submit " + sweep_name, spec);
    EXPECT_TRUE(std::holds_alternative<Submitted>(answer));
    fs::remove_all(folder);
  }
  std::optional<HttpClient> client() const {
    if (!server_) return std::nullopt;
    return HttpClient({.host = "127.0.0.1", .port = std::to_string(server_->address().port)});
  }

  TemporaryFolder folder_;
  std::optional<CoordinatorService> service_;
  std::optional<HttpServer> server_;
  std::vector<std::string> said_;
  std::map<std::string, FolderElsewhere> elsewhere_;
};

TEST_F(NamedModels, AFolderThatWasHashedBeforeIsFoundByItsBase) {
  hashed(model("other", "v", "gpt2"));
  const fs::path folder = hashed(model("tiny", "w", "gpt2"));
  EXPECT_EQ(placed(sweep(base_of(folder))), folder);
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(NamedModels, ATokenizerIsFoundByItsOwnHash) {
  hashed(model("tiny", "w", "gpt2"));
  add_tokenizer(path("qwen"), "qwen2");
  hashed(path("qwen"));
  EXPECT_EQ(placed(sweep("tiny", tokenizer_of(path("qwen"))), "model.tokenizer"), path("qwen"));
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(NamedModels, ValuesOfAnAxisAreNamedTheSameWay) {
  const fs::path folder = hashed(model("tiny", "w", "gpt2"));
  SweepSpec spec = sweep("tiny");
  spec.blocks.at(0).constants.erase("model.path");
  spec.blocks[0].axes = {{.name = "model.path",
                          .points = {{.label = "a", .set = {{"model.path", "/models/a"}}},
                                     {.label = "b", .set = {{"model.path", base_of(folder)}}}},
                          .when = ""}};
  EXPECT_THAT(place(spec), IsEmpty());
  EXPECT_EQ(spec.blocks[0].axes[0].points[0].set.at("model.path"), "/models/a");
  EXPECT_EQ(spec.blocks[0].axes[0].points[1].set.at("model.path"), folder.string());
}

TEST_F(NamedModels, RulesThatSpeakOfANamedModelHoldForItsFolder) {
  const std::string a = base_of(hashed(model("a's", "v", "gpt2"))),
                    b = base_of(hashed(model("b", "w", "gpt2")));
  const std::string qwen = tokenizer_of(hashed(model("qwen", "x", "qwen2")));
  SweepSpec spec = sweep_with(
      "model.tokenizer: " + qwen + "\naxes:\n  model.path: [" + a + ", " + b +
      "]\n  train.batch: {values: [4, 8], when: \"path = '" + b + "'\"}\n" + "  budget.steps: [1, 2, 3]\n" +
      "derive: {train.weight_decay: \"0.5 if model.path in ('" + a + "', 'none') else 0.25\"}\n" +
      "exclude:\n- {model.path: " + a + ", budget.steps: 1}\n- \"tokenizer != '" + qwen + "'\"\n");
  keep_only(spec, "path = '" + a + "' or steps < 3");
  const std::vector<std::string> before = trials(spec);
  EXPECT_THAT(place(spec), IsEmpty());
  EXPECT_EQ(spec.blocks.at(0).exclude.at(0).text,
            "model.path = \"" + path("a's").string() + "\" and budget.steps = 1");
  EXPECT_EQ(trials(spec), before);
  EXPECT_EQ(before.size(), 2u + 4u) << "of a steps 2 and 3; of b steps 1 and 2 with either batch";
}

TEST_F(NamedModels, ALabelThatIsAHashStaysInTheRulesThatSpeakOfIt) {
  const std::string a = base_of(hashed(model("a", "v", "gpt2"))), b = base_of(hashed(model("b", "w", "gpt2")));
  SweepSpec spec = sweep(a);
  spec.blocks.at(0).axes = {
      {.name = "base",
       .points = {{.label = a, .set = {{"model.path", a}}}, {.label = b, .set = {{"model.path", b}}}},
       .when = ""}};
  spec.blocks[0].exclude = {{.text = "base = '" + a + "'", .where = ""}};
  EXPECT_THAT(place(spec), IsEmpty());
  EXPECT_EQ(spec.blocks[0].exclude[0].text, "base = '" + a + "'");
}

TEST_F(NamedModels, APathThatNoRuleCanQuoteIsRefused) {
  const std::string name = base_of(hashed(model("both' and \"", "v", "gpt2")));
  SweepSpec spec = sweep(name);
  spec.blocks.at(0).exclude = {{.text = "model.path != '" + name + "'", .where = ""}};
  try {
    place(spec);
    FAIL() << spec.blocks[0].exclude[0].text;
  } catch (const SpecError& error) {
    EXPECT_THAT(error.what(), HasSubstr("both kinds of quotes; rename the folder"));
  }
}

TEST_F(NamedModels, AFolderThatCannotBeReadKeepsNoOtherOneFromBeingFound) {
  const fs::path lost = hashed(model("a-lost", "v", "gpt2"));
  const std::string lost_name = base_of(lost);
  fs::remove_all(lost);
  fs::create_directory_symlink("a-lost", lost);  // nobody can say what it is
  const fs::path folder = hashed(model("tiny", "w", "gpt2"));
  EXPECT_EQ(placed(sweep(base_of(folder))), folder);
  EXPECT_EQ(placed(sweep("tiny", tokenizer_of(folder)), "model.tokenizer"), folder);
  EXPECT_THAT(said_, IsEmpty());
  placed(sweep(lost_name));
  EXPECT_THAT(said_, ElementsAre(HasSubstr(lost.string() + " was passed over: ")));
}

TEST_F(NamedModels, AFolderThatChangedSinceIsNotTaken) {
  const fs::path folder = hashed(model("tiny", "w", "gpt2"));
  const std::string name = base_of(folder);
  write(folder / "model.safetensors", "other weights");
  EXPECT_EQ(placed(sweep(name)), name);
  hashed(folder);
  EXPECT_EQ(placed(sweep(name)), name);
  EXPECT_EQ(said_.size(), 1u);
}

TEST_F(NamedModels, NoWeightsAreHashedToFindOne) {
  const fs::path folder = model("tiny", "w", "gpt2");
  HashCache(cache_folder(data())).sha256_of(folder / "config.json");
  EXPECT_EQ(placed(sweep(base_of(folder))), base_of(folder));
  hashed(folder);
  EXPECT_EQ(placed(sweep(base_of(folder))), folder);
}

TEST_F(NamedModels, OneModelBesideTwoTokenizersIsNotClearUntilTheTokenizerIsNamed) {
  const fs::path gpt2 = hashed(model("gpt2", "w", "gpt2")), qwen = hashed(model("qwen", "w", "qwen2"));
  const std::string name = base_of(gpt2);
  ASSERT_EQ(name, base_of(qwen));
  EXPECT_EQ(placed(sweep(name)), name);
  EXPECT_THAT(said_, ElementsAre(AllOf(HasSubstr(name + ": this model lies beside different tokenizers"),
                                       HasSubstr(tokenizer_of(gpt2) + " in " + gpt2.string()),
                                       HasSubstr(tokenizer_of(qwen) + " in " + qwen.string()),
                                       HasSubstr("write the one that is meant as model.tokenizer"))));
  EXPECT_EQ(placed(sweep(name, tokenizer_of(qwen)), "model.tokenizer"), qwen);
  EXPECT_EQ(placed(sweep(name, tokenizer_of(qwen))), gpt2) << "either has the weights";
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(NamedModels, OfEqualFoldersOneThatHasTheTokenizerIsTaken) {
  hashed(model("bare", "w", ""));
  const fs::path whole = hashed(model("whole", "w", "gpt2"));
  EXPECT_EQ(placed(sweep(base_of(whole))), whole);
}

TEST_F(NamedModels, AWorkersCopyIsTakenWhereNothingElseIs) {
  const fs::path copy = hashed(model("data/inputs/0123/files/tiny", "w", "gpt2"));
  EXPECT_EQ(placed(sweep(base_of(copy))), copy);
  const fs::path original = hashed(model("tiny", "w", "gpt2"));
  EXPECT_EQ(placed(sweep(base_of(copy))), original);
}

TEST_F(NamedModels, WhatNobodyHasIsNamedWithWhereItWasLookedForAndWhatToDo) {
  const std::string name = "sha256:" + sha256_hex("nobody's");
  EXPECT_EQ(placed(sweep(name, name)), name);
  EXPECT_THAT(said_,
              ElementsAre(AllOf(HasSubstr(name + ": no model folder that was hashed on this machine"),
                                HasSubstr((cache_folder(data()) / "hashes.json").string()),
                                HasSubstr("`ranktide plan FILE model.path=FOLDER`, which hashes it")),
                          AllOf(HasSubstr(name + ": no tokenizer folder that was hashed on this machine"),
                                HasSubstr("`ranktide plan FILE model.tokenizer=FOLDER`"))));
}

TEST_F(NamedModels, TheHashOfAWeightFileIsSaidToBeThat) {
  const fs::path folder = hashed(model("tiny", "w", "gpt2"));
  placed(sweep("sha256:" + sha256_hex("w")));
  EXPECT_THAT(said_, ElementsAre(HasSubstr("that is the file " + (folder / "model.safetensors").string() +
                                           ", and a model's hash is another one")));
}

// ---- models that only other machines have

TEST_F(NamedModels, OneThatASweepOfTheCoordinatorNamedIsPlannedWithWithoutItsWeights) {
  coordinator_serves();
  const fs::path folder = model("tiny", "w", "gpt2");
  const std::string name = base_of(folder), tokenizer = tokenizer_of(folder);
  was_submitted(folder);
  EXPECT_EQ(placed(sweep(name)), folder) << "where workers look first";
  EXPECT_THAT(said_, IsEmpty());
  const FolderElsewhere& found = elsewhere_.at(folder.string());
  EXPECT_EQ("sha256:" + base_made_by(found).text, name);
  EXPECT_EQ(tokenizer_of(found.here), tokenizer);
  EXPECT_FALSE(fs::exists(found.here / "model.safetensors"));
  EXPECT_EQ(placed(sweep("other", tokenizer), "model.tokenizer"), folder);
  EXPECT_EQ(placed(sweep(name, tokenizer)), folder) << "both of one folder";
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(NamedModels, WhatWasBroughtFromElsewhereGoesWhenItWasLongUnusedAndIsTooMuch) {
  coordinator_serves();
  const fs::path models = models_brought(cache_folder(data()));
  const auto unused_since = [&](const std::string& name, std::chrono::hours age) {
    write(models / name / "tokenizer.json", "");
    fs::resize_file(models / name / "tokenizer.json", kModelsBroughtBytesMax / 2);  // a hole
    fs::last_write_time(models / name, fs::file_time_type::clock::now() - age);
  };
  unused_since("last week", std::chrono::hours(24 * 7));
  unused_since("yesterday", std::chrono::hours(24));
  const fs::path folder = model("tiny", "w", "gpt2");
  const std::string name = base_of(folder);
  was_submitted(folder);
  placed(sweep(name));
  const fs::path here = elsewhere_.at(folder.string()).here;
  EXPECT_FALSE(fs::exists(models / "last week"));
  EXPECT_TRUE(fs::exists(models / "yesterday")) << "it is little enough now";

  fs::last_write_time(here, fs::file_time_type::clock::now() - std::chrono::hours(48));
  unused_since("lately", std::chrono::hours(0));
  placed(sweep(name));
  EXPECT_TRUE(fs::exists(here / "tokenizer.json")) << "used again, and so the newest";
  EXPECT_FALSE(fs::exists(models / "yesterday"));
  unused_since("at once", std::chrono::hours(0));
  placed(sweep(name));
  EXPECT_TRUE(fs::exists(models / "lately")) << "another command may read it yet";
}

TEST_F(NamedModels, OneOfThisMachineIsPreferredToOneOfAnother) {
  coordinator_serves();
  const fs::path far = model("far", "w", "gpt2");
  const std::string name = base_of(far);
  was_submitted(far);
  const fs::path near = hashed(model("near", "w", "gpt2"));
  EXPECT_EQ(placed(sweep(name)), near);
  EXPECT_TRUE(elsewhere_.empty());
}

TEST_F(NamedModels, ElsewhereTooTwoTokenizersAreNotClear) {
  coordinator_serves();
  const fs::path gpt2 = model("gpt2", "w", "gpt2"), qwen = model("qwen", "w", "qwen2");
  const std::string name = base_of(gpt2), meant = tokenizer_of(qwen);
  was_submitted(gpt2, "one");
  was_submitted(qwen, "two");
  EXPECT_EQ(placed(sweep(name)), name);
  EXPECT_THAT(said_, ElementsAre(AllOf(HasSubstr("beside different tokenizers"),
                                       HasSubstr(meant + " in " + qwen.string() + " of another machine"))));
  EXPECT_EQ(placed(sweep(name, meant), "model.tokenizer"), qwen);
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(NamedModels, APathThatTheSweepHasForAnotherModelIsNotTaken) {
  coordinator_serves();
  const fs::path folder = model("tiny", "w", "gpt2");
  const std::string name = base_of(folder);
  was_submitted(folder);
  SweepSpec spec = sweep_with("axes: {model.path: [tiny, \"" + name + "\"]}\nbudget.steps: 1\n");
  EXPECT_THAT(place(spec),
              ElementsAre(HasSubstr(folder.string() + " of another machine has it, but the sweep")));
}

TEST_F(NamedModels, AModelHereAndOneThatLayAtItsPathElsewhereAreNotOne) {
  coordinator_serves();
  for (const char* weights : {"a", "b", "c", "d"}) {  // names are looked for in the order of their hashes
    const fs::path folder = model(weights, std::string("old ") + weights, "gpt2");
    const std::string old = base_of(folder);
    was_submitted(folder, weights);
    const std::string fresh = base_of(hashed(model(weights, std::string("new ") + weights, "")));
    SweepSpec spec = sweep_with("axes: {model.path: [\"" + fresh + "\", \"" + old + "\"]}\nbudget.steps: 1\n");
    EXPECT_THAT(place(spec), ElementsAre(HasSubstr(folder.string())));
  }
}

TEST_F(NamedModels, WhatTheCoordinatorKnowsAndHasNoFilesOfIsSaid) {
  coordinator_serves();
  const fs::path folder = model("tiny", "w", "gpt2");
  const std::string name = base_of(folder), nobodys = "sha256:" + sha256_hex("nobody's");
  was_submitted(folder, "s", false);
  EXPECT_EQ(placed(sweep(name)), name);
  EXPECT_THAT(said_, ElementsAre(AllOf(HasSubstr(folder.string() + " of another machine has it, but sha256:"),
                                       HasSubstr("has none either"))));
  placed(sweep(nobodys));
  EXPECT_THAT(said_,
              ElementsAre(HasSubstr("; no sweep of the coordinator at " + client()->url() + " named it")));
  server_.reset();
  placed(sweep(nobodys));
  EXPECT_THAT(said_, ElementsAre(HasSubstr("; no coordinator was asked")));
}

TEST_F(NamedModels, WhatIsNoHashIsRefusedWhereItStands) {
  const auto error = [&](const std::string& model, const std::string& tokenizer) -> std::string {
    try {
      sweep(model, tokenizer);
    } catch (const SpecError& refused) {
      return refused.what();
    }
    return "taken";
  };
  const std::string name = "sha256:" + sha256_hex("w");
  EXPECT_THAT(
      error("sha256:abc", ""),
      HasSubstr("sweep.yaml:8:13: model.path: not a hash of a model or tokenizer; write sha256: and the 64 "
                "hex digits that `plan` prints"));
  EXPECT_THAT(error(name, name + ".json"), HasSubstr("sweep.yaml:9:18: model.tokenizer: not a hash"));
  EXPECT_EQ(error(name, name), "taken");
}

}  // namespace
}  // namespace ranktide::cli
