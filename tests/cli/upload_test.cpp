#include "cli/upload.h"

#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <thread>

#include "common/vocabulary/sha256.h"
#include "coordinator/edge/http_server.h"
#include "coordinator/edge/serve.h"
#include "tests/temporary_folder.h"

namespace ranktide::cli {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// A coordinator with its HTTP, and a client with files.
class Upload : public testing::Test {
 protected:
  Upload() { serve(); }
  std::string write(const std::string& name, const std::string& text) {
    const fs::path path = folder_.path() / name;
    std::ofstream(path, std::ios::binary) << text;
    inputs_.contents[path.string()] = {sha256_hex(text), static_cast<int64_t>(text.size())};
    return path.string();
  }
  void upload(int64_t file_bytes_max = 100'000'000) {
    PatientClient client([this] { return client_of_folder(folder_.path() / "data"); }, {.pause = 20ms});
    upload_inputs(client, inputs_, elsewhere_, file_bytes_max,
                  {.say = [this](const std::string& line) { said_.push_back(line); },
                   .moved =
                       [this](const std::string&, int64_t here, int64_t) {
                         moved_.push_back(here);
                         if (after_a_piece_) after_a_piece_();
                       }});
  }
  void serve() {
    server_.emplace(HttpServerConfig{.data_folder = folder_.path() / "data", .blobs = &coordinator_.blobs()},
                    coordinator_.mailbox());
  }
  bool is_there(const std::string& text) { return coordinator_.blobs().standing(sha256_hex(text)).is_complete; }

  TemporaryFolder folder_;
  CoordinatorService coordinator_{{.data_folder = folder_.path() / "data"}};
  std::optional<HttpServer> server_;
  Inputs inputs_;
  std::set<std::string> elsewhere_;
  std::vector<std::string> said_;
  std::vector<int64_t> moved_;
  std::function<void()> after_a_piece_;
};

TEST_F(Upload, SendsWhatTheCoordinatorLacksOnce) {
  const std::string large(1'300'000, 'x');
  write("a.jsonl", large);
  write("empty.jsonl", "");
  upload();
  EXPECT_TRUE(is_there(large));
  EXPECT_TRUE(is_there(""));
  moved_.clear();
  upload();
  EXPECT_TRUE(moved_.empty());
}

TEST_F(Upload, GoesOnWhereItWasCut) {
  const std::string large(1'300'000, 'x');
  write("a.jsonl", large);
  coordinator_.blobs().append(sha256_hex(large), 1'300'000, 0, large.substr(0, 1'200'000));
  upload();
  EXPECT_EQ(moved_, (std::vector<int64_t>{1'300'000}));
}

TEST_F(Upload, GoesOnWhenTheCoordinatorWasAwayInBetween) {
  const std::string large(1'300'000, 'x');
  write("a.jsonl", large);
  std::thread restart;
  after_a_piece_ = [&] {
    if (restart.joinable()) return;
    server_.reset();
    restart = std::thread([this] {
      std::this_thread::sleep_for(200ms);
      serve();
    });
  };
  upload();
  restart.join();
  EXPECT_TRUE(is_there(large));
}

TEST_F(Upload, NamesWhatIsTooLargeAndSendsTheRest) {
  const std::string path = write("large.jsonl", "0123456789");
  write("small.jsonl", "01");
  upload(5);
  ASSERT_EQ(said_.size(), 1u);
  EXPECT_EQ(said_[0].find("not sent: " + path), 0u) << said_[0];
  EXPECT_TRUE(is_there("01"));
  EXPECT_FALSE(is_there("0123456789"));
}

TEST_F(Upload, OfAModelOfTheHubItSendsWhatIsNotItsWeights) {
  ::setenv("HF_HUB_CACHE", (folder_.path() / "hub").c_str(), 1);
  const fs::path snapshot = folder_.path() / "hub/models--org--tiny/snapshots/main";
  fs::create_directories(snapshot);
  for (const std::string name : {"config.json", "model.safetensors"}) {
    std::ofstream(snapshot / name) << name;
    inputs_.contents["hub:org/tiny@main/" + name] = {sha256_hex(name), static_cast<int64_t>(name.size())};
  }
  upload();
  ::unsetenv("HF_HUB_CACHE");
  EXPECT_TRUE(is_there("config.json"));
  EXPECT_FALSE(is_there("model.safetensors"));
}

TEST_F(Upload, WhatIsOnAnotherMachineIsNotReadHereAndNamedWhereTheCoordinatorLacksIt) {
  for (const char* name : {"here.jsonl", "nowhere.jsonl"}) {
    elsewhere_.insert(write(name, name));
    fs::remove(folder_.path() / name);
  }
  coordinator_.blobs().append(sha256_hex("here.jsonl"), 10, 0, "here.jsonl");
  upload();
  ASSERT_EQ(said_.size(), 1u);
  EXPECT_EQ(said_[0].find("not sent: " + (folder_.path() / "nowhere.jsonl").string()), 0u) << said_[0];
  EXPECT_NE(said_[0].find("is not on this machine, and the coordinator has no copy"), std::string::npos);
}

TEST_F(Upload, AFileHereIsSentThoughOneOfAnotherMachineHasTheSameContent) {
  elsewhere_.insert(write("a.json", "same"));
  fs::remove(folder_.path() / "a.json");
  write("b.json", "same");
  upload();
  EXPECT_TRUE(said_.empty());
  EXPECT_TRUE(is_there("same"));
}

TEST_F(Upload, AFileThatChangedSinceItWasHashedIsRefused) {
  const std::string path = write("a.jsonl", "0123456789");
  std::ofstream(path) << "9876543210";
  EXPECT_THROW(upload(), CommandError);
  EXPECT_FALSE(is_there("0123456789"));
}

}  // namespace
}  // namespace ranktide::cli
