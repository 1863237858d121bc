// Models and tokenizers that a sweep names by their hash, and only other machines have.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "cli/brought_models.h"
#include "common/sweep/identity.h"
#include "common/text/data_files.h"
#include "common/vocabulary/sha256.h"
#include "coordinator/edge/http_server.h"
#include "coordinator/edge/serve.h"
#include "tests/cli/named_models_world.h"

namespace ranktide::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ModelsElsewhere : public NamedModels {
 protected:
  // A coordinator on another machine.
  void coordinator_serves() {
    service_.emplace(CoordinatorServiceConfig{.data_folder = path("far away")});
    server_.emplace(HttpServerConfig{.data_folder = path("far away"), .blobs = &service_->blobs()},
                    service_->mailbox());
    coordinator_ = [this] { return client(); };
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
    const Answer answer = service_->submit({.request_id = "submit " + sweep_name, .spec = spec});
    EXPECT_TRUE(std::holds_alternative<Submitted>(answer));
    fs::remove_all(folder);
  }
  std::optional<HttpClient> client() const {
    if (!server_) return std::nullopt;
    return HttpClient({.host = "127.0.0.1", .port = std::to_string(server_->address().port)});
  }

  std::optional<CoordinatorService> service_;
  std::optional<HttpServer> server_;
};

TEST_F(ModelsElsewhere, OneThatASweepOfTheCoordinatorNamedIsPlannedWithWithoutItsWeights) {
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

TEST_F(ModelsElsewhere, WhatWasBroughtFromElsewhereGoesWhenItWasLongUnusedAndIsTooMuch) {
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

TEST_F(ModelsElsewhere, WithoutAPlaceForWhatIsBroughtThePlanSaysWhyAndGoesOn) {
  coordinator_serves();
  const fs::path folder = model("tiny", "w", "gpt2");
  const std::string name = base_of(folder);
  was_submitted(folder);
  const fs::path in_the_way = models_brought(cache_folder(data()));
  write(in_the_way, "a file");
  EXPECT_EQ(placed(sweep(name)), name);
  EXPECT_THAT(said_, ElementsAre(AllOf(HasSubstr(folder.string() + " of another machine has it, but"),
                                       HasSubstr(in_the_way.string()))));
  EXPECT_EQ(read_text(in_the_way), "a file");
  fs::remove(in_the_way);
  EXPECT_EQ(placed(sweep(name)), folder);
}

// Root may mark everything, so that it is somebody else meanwhile.
TEST_F(ModelsElsewhere, AFolderThatCannotBeMarkedAsUsedIsReadAllTheSame) {
  const uid_t user = geteuid();
  if (user == 0 && seteuid(65'534) != 0) GTEST_SKIP() << "there is no other user to be";
  EXPECT_NO_THROW(use_brought("/usr"));
  ASSERT_EQ(seteuid(user), 0);
}

TEST_F(ModelsElsewhere, OneOfThisMachineIsPreferredToOneOfAnother) {
  coordinator_serves();
  const fs::path far = model("far", "w", "gpt2");
  const std::string name = base_of(far);
  was_submitted(far);
  const fs::path near = hashed(model("near", "w", "gpt2"));
  EXPECT_EQ(placed(sweep(name)), near);
  EXPECT_TRUE(elsewhere_.empty());
}

TEST_F(ModelsElsewhere, ElsewhereTooTwoTokenizersAreNotClear) {
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

TEST_F(ModelsElsewhere, APathThatTheSweepHasForAnotherModelIsNotTaken) {
  coordinator_serves();
  const fs::path folder = model("tiny", "w", "gpt2");
  const std::string name = base_of(folder);
  was_submitted(folder);
  SweepSpec spec = sweep_with("axes: {model.path: [tiny, \"" + name + "\"]}\nbudget.steps: 1\n");
  EXPECT_THAT(place(spec),
              ElementsAre(HasSubstr(folder.string() + " of another machine has it, but the sweep")));
}

TEST_F(ModelsElsewhere, AModelHereAndOneThatLayAtItsPathElsewhereAreNotOne) {
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

TEST_F(ModelsElsewhere, WhatTheCoordinatorKnowsAndHasNoFilesOfIsSaid) {
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

}  // namespace
}  // namespace ranktide::cli
