#include "cli/service_log.h"

#include <gtest/gtest.h>

#include "common/vocabulary/wire.h"

namespace ranktide::cli {
namespace {

TEST(ServiceLog, ALineIsOneJsonObjectWithItsTime) {
  EXPECT_EQ(json_log_line(1'767'225'600'000'042, "info", "serves"),
            R"({"at":"2026-01-01T00:00:00.000042Z","event":"serves","level":"info"})"
            "\n");
}

TEST(ServiceLog, WhatAPeerSaysCannotBreakALine) {
  const std::string line = json_log_line(0, "warning", "a\n{\"b\x01\xff" + std::string(100'000, 'x'));
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_LT(line.size(), 9'000u);
  EXPECT_TRUE(parse_json(line).at("event").get<std::string>().starts_with("a\n{\"b\x01"));
}

}  // namespace
}  // namespace ranktide::cli
