// The texts of a frame, exactly.
#include "coordinator/edge/query_table.h"

#include <gtest/gtest.h>

#include "coordinator/edge/query_frame.h"

namespace ranktide {
namespace {

Frame sample() {
  return {.columns = {{.name = "method", .type = "text", .unit = ""},
                      {.name = "rank", .type = "number", .unit = ""},
                      {.name = "gain", .type = "number", .unit = "score"},
                      {.name = "gain_ci", .type = "number", .unit = "score", .role = Column::Role::half_width},
                      {.name = "tokens", .type = "number", .unit = "tokens"},
                      {.name = "cell", .type = "text", .unit = "id", .role = Column::Role::detail},
                      {.name = "note", .type = "text", .unit = ""}},
          .rows = {{Value("base"), Value{}, Value(0.0), Value{}, Value{}, Value{}, Value("a \"b\", | c")},
                   {Value("lora"), Value(int64_t{16}), Value(1.5712345), Value(0.0123), Value(24576.0),
                    Value("c1"), Value("")}},
          .notes = {"one note"}};
}

TEST(FrameText, TableRoundsAMeanToItsHalfWidthsTwoDigits) {
  EXPECT_EQ(print(sample(), FrameFormat::table),
            "method  rank          gain  tokens  note\n"
            "base       -         0.000       -  a \"b\", | c\n"
            "lora      16  1.571 ±0.012   24.6k\n"
            "one note\n");
}

TEST(FrameText, CsvKeepsFullPrecisionAndQuotesAsRfc4180Says) {
  EXPECT_EQ(print(sample(), FrameFormat::csv),
            "method,rank,gain,gain_ci,tokens,cell,note\r\n"
            "base,,0.0,,,,\"a \"\"b\"\", | c\"\r\n"
            "lora,16,1.5712345,0.0123,24576.0,c1,\r\n");
}

TEST(FrameText, JsonNamesColumnsWithTypesAndUnits) {
  const std::string json = print(sample(), FrameFormat::json);
  EXPECT_TRUE(json.starts_with(R"({"schema":1,"columns":[{"name":"method","type":"text","unit":""},)")) << json;
  EXPECT_NE(
      json.find(
          R"({"method":"lora","rank":16,"gain":1.5712345,"gain_ci":0.0123,"tokens":24576.0,"cell":"c1","note":""})"),
      std::string::npos)
      << json;
}

TEST(FrameText, JsonLinesAreBareRows) {
  const std::string lines = print(sample(), FrameFormat::jsonl);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2);
  EXPECT_TRUE(lines.starts_with("{\"method\":\"base\",\"rank\":null"));
}

TEST(FrameText, MarkdownEscapesPipes) {
  EXPECT_EQ(print(sample(), FrameFormat::md),
            "| method | rank | gain | tokens | note |\n"
            "| --- | ---: | ---: | ---: | --- |\n"
            "| base | - | 0.000 | - | a \"b\", \\| c |\n"
            "| lora | 16 | 1.571 ±0.012 | 24.6k |  |\n"
            "\n- one note\n");
}

TEST(FrameText, TimesReadLikeTimes) {
  EXPECT_EQ(seconds_text(45.23), "45.2 s");
  EXPECT_EQ(seconds_text(725), "12m 05s");
  EXPECT_EQ(seconds_text(11040), "3 h 04 min");
}

TEST(FrameText, HalfWidthsDecideTheDecimals) {
  EXPECT_EQ(decimals_for(0.0123), 3);
  EXPECT_EQ(decimals_for(0.9), 2);
  EXPECT_EQ(decimals_for(1.5), 1);
  EXPECT_EQ(decimals_for(250), 0);
}

TEST(FrameText, KnowsItsFormatsByName) {
  EXPECT_EQ(frame_format("md"), FrameFormat::md);
  EXPECT_FALSE(frame_format("xml"));
}

}  // namespace
}  // namespace ranktide
