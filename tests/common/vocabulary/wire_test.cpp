#include "common/vocabulary/wire.h"

#include <gtest/gtest.h>

namespace ranktide {
namespace {

TrialSettings some_settings() {
  TrialSettings t;
  t.model.path = "/m";
  t.lora = LoraSettings{.rank = 16, .alpha = 32, .target = {"q_proj"}, .dropout = 0.1};
  t.data.fields = {{"prompt", "question"}};
  t.data.train = {{.path = "/d", .weight = 0.5}};
  t.budget.steps = 12;
  t.seed = ~0ULL;
  return t;
}

TEST(Wire, MessagePackGivesBackWhatWasPacked) {
  const TrialSettings t = some_settings();
  EXPECT_TRUE(equal(unpack<TrialSettings>(pack(t)), t));
}

TEST(Wire, WritesTheBytesThatTheLibraryReads) {
  const TrialSettings t = some_settings();
  EXPECT_EQ(Json::from_msgpack(pack(t)), to_json(t));
}

TEST(Wire, KeepsNanAndInfinityInBothForms) {
  const Point nan{.step = 3, .name = "loss", .value = std::nan("")};
  EXPECT_TRUE(std::isnan(unpack<Point>(pack(nan)).value));
  EXPECT_TRUE(std::isnan(from_json<Point>(parse_json(to_json(nan).dump())).value));
  const Point inf{.step = 3, .name = "loss", .value = -INFINITY};
  EXPECT_EQ(from_json<Point>(parse_json(to_json(inf).dump())).value, -INFINITY);
}

TEST(Wire, MissingNamesKeepTheirDefaultsAndUnknownOnesAreIgnored) {
  const auto p = from_json<Point>(parse_json(R"({"step":1,"new_field":[1]})"));
  EXPECT_EQ(p.step, 1);
  EXPECT_EQ(p.name, "");
}

std::string wire_error(auto&& act) {
  try {
    act();
  } catch (const ProtocolError& e) {
    return e.what();
  }
  return "no error";
}

TEST(Wire, SaysWhereAValueHasTheWrongType) {
  EXPECT_EQ(wire_error([] { from_json<TrialSettings>(parse_json(R"({"train":{"lr":"fast"}})")); }),
            "train.lr: expected a number, got string");
  EXPECT_EQ(wire_error([] { from_json<TrialSettings>(parse_json(R"({"method":"qlora"})")); }),
            "method: unknown value \"qlora\"");
  EXPECT_EQ(wire_error([] { from_json<LoraSettings>(parse_json(R"({"rank":1e3})")); }),
            "rank: expected an integer, got number");
}

TEST(Wire, BytesThatAreNoTextAreMendedBeforeAnybodyKeepsThem) {
  const std::string bytes =
      "\x81\xa3k\xe2\x82\xa3"
      "a\xff"
      "b";  // {"k<half a euro sign>": "a<255>b"}
  const Json read = parse_msgpack(bytes);
  EXPECT_EQ(read.dump(), "{\"k\uFFFD\":\"a\uFFFDb\"}");
  const auto whole = Json::to_msgpack(Json{{"naïve", "가 😀"}});
  EXPECT_EQ(parse_msgpack(std::string(whole.begin(), whole.end())), (Json{{"naïve", "가 😀"}}));
}

TEST(Wire, RefusesDeepNestingInsteadOfOverflowingTheStack) {
  EXPECT_EQ(wire_error([] { parse_msgpack(std::string(100000, '\x91')); }), "nested deeper than 32 levels");
  EXPECT_EQ(wire_error([] { parse_json(std::string(100000, '[')); }), "nested deeper than 32 levels");
}

TEST(Wire, RefusesAKeyGivenTwice) {
  EXPECT_EQ(wire_error([] { parse_json(R"({"a":1,"a":2})"); }), "key \"a\" is given twice");
}

TEST(Wire, RefusesTruncatedBytesAtEveryLength) {
  const std::string bytes = pack(some_settings());
  for (size_t n = 0; n < bytes.size(); ++n)
    EXPECT_NE(wire_error([&] { parse_msgpack(bytes.substr(0, n)); }), "no error");
}

}  // namespace
}  // namespace ranktide
