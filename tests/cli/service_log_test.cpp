#include "cli/service_log.h"

#include <cstdlib>
#include <gtest/gtest.h>

#include "common/vocabulary/wire.h"

namespace ranktide::cli {
namespace {

TEST(ServiceLog, ALineIsOneJsonObjectWithItsTime) {
  EXPECT_EQ(json_log_line(1'767'225'600'000'042, "info", "serves"),
            R"({"at":"2026-01-01T00:00:00.000042Z","event":"serves","level":"info"})"
            "\n");
}

TEST(ServiceLog, IsJsonOffATerminalUnlessItIsToldOtherwise) {
  EXPECT_FALSE(writes_json("", true));
  EXPECT_TRUE(writes_json("", false));
  EXPECT_TRUE(writes_json("json", true));
  EXPECT_FALSE(writes_json("text", false));
}

TEST(ServiceLog, TheFlagGoesBeforeTheEnvironmentAndBothAreChecked) {
  const auto format_of = [](const std::vector<const char*>& words) {
    CLI::App app;
    std::string format;
    add_log_format(app, format);
    app.parse(static_cast<int>(words.size()), words.data());
    return format;
  };
  EXPECT_EQ(format_of({"worker"}), "");
  ::setenv("RANKTIDE_LOG_FORMAT", "json", 1);
  EXPECT_EQ(format_of({"worker"}), "json");
  EXPECT_EQ(format_of({"worker", "--log-format", "text"}), "text");
  ::setenv("RANKTIDE_LOG_FORMAT", "xml", 1);
  EXPECT_THROW(format_of({"worker"}), CLI::ParseError);
  ::unsetenv("RANKTIDE_LOG_FORMAT");
  EXPECT_THROW(format_of({"worker", "--log-format", "xml"}), CLI::ParseError);
}

TEST(ServiceLog, WhatAPeerSaysCannotBreakALine) {
  const std::string line = json_log_line(0, "warning", "a\n{\"b\x01\xff" + std::string(100'000, 'x'));
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_LT(line.size(), 9'000u);
  EXPECT_TRUE(parse_json(line).at("event").get<std::string>().starts_with("a\n{\"b\x01"));
}

}  // namespace
}  // namespace ranktide::cli
