#include "common/sweep/yaml_tree.h"

#include <chrono>
#include <gtest/gtest.h>
#include <sys/resource.h>

namespace ranktide {
namespace {

std::string yaml_refusal(const std::string& text) {
  try {
    parse_yaml(SourceText("f.yaml", text));
  } catch (const SpecError& e) {
    return e.what();
  }
  return "accepted";
}

std::string repeated(const std::string& piece, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += piece;
  return out;
}

TEST(YamlTree, KeepsTextQuotesAndPlaces) {
  const YamlNode root = parse_yaml(SourceText("f.yaml", "a: 1e-4\nb: {c: \"1\", d: [x, ]}\n"));
  EXPECT_EQ(root.find("a")->text, "1e-4");
  EXPECT_FALSE(root.find("a")->quoted);
  EXPECT_TRUE(root.find("b")->find("c")->quoted);
  EXPECT_EQ(root.find("b")->find("d")->items.size(), 1U);
  EXPECT_EQ(root.entries[1].at, (Place{2, 1}));
  EXPECT_EQ(root.find("b")->find("c")->at, (Place{2, 8}));
}

TEST(YamlTree, RefusesWhatMeansTwoThings) {
  EXPECT_EQ(yaml_refusal("a: 1\nb: 2\na: 3\n"), "f.yaml:3:1: \"a\" is set twice (first at line 1)");
  EXPECT_EQ(yaml_refusal("blocks:\n  x:\n    train: {lr: 1,\n      lr: 2}\n"),
            "f.yaml:4:7: \"train.lr\" is set twice in block x (first at line 3)");
  EXPECT_EQ(yaml_refusal("a: 1\n---\nb: 1\n"),
            "f.yaml:2:1: a second document starts here; a sweep file has one, write a second file");
  EXPECT_EQ(yaml_refusal("a: 1\n<<: {b: 2}\n"),
            "f.yaml:2:1: merge keys (<<) are not allowed; use `like` for blocks");
}

TEST(YamlTree, RefusesAnchorsAliasesAndTags) {
  EXPECT_EQ(yaml_refusal("a: &x 1\n"),
            "f.yaml:1:4: anchors (&x) are not allowed; write the value out, or use `like` for blocks");
  EXPECT_NE(yaml_refusal("a: *x\n").find("f.yaml:1:4: "), std::string::npos);
  EXPECT_EQ(yaml_refusal("a: !!python/object:os.system 1\n"),
            "f.yaml:1:4: tags (tag:yaml.org,2002:python/object:os.system) are not allowed; remove it");
}

TEST(YamlTree, RefusesBytesThatAreNoText) {
  EXPECT_EQ(yaml_refusal(std::string("a: \0", 4)), "f.yaml:1:4: a NUL byte; is this a text file?");
  EXPECT_EQ(yaml_refusal("a: 1\nb: \xff\n"), "f.yaml:2:4: not valid UTF-8; save the file as UTF-8");
  EXPECT_EQ(yaml_refusal("a: \xc0\xaf"), "f.yaml:1:4: not valid UTF-8; save the file as UTF-8");
  EXPECT_EQ(yaml_refusal("a: \xed\xa0\x80"), "f.yaml:1:4: not valid UTF-8; save the file as UTF-8");
  EXPECT_EQ(yaml_refusal("a: \"caf\xc3\xa9 \xf0\x9f\x8c\x8a\"\n"), "accepted");
}

TEST(YamlTree, StopsAtEveryLimit) {
  EXPECT_EQ(yaml_refusal(std::string(kYamlBytesMax + 1, ' ')),
            "f.yaml: the file has 1048577 bytes; a sweep file has at most 1 MiB");
  EXPECT_NE(yaml_refusal(repeated("[", 33) + repeated("]", 33)).find("nested deeper than 32 levels"),
            std::string::npos);
  EXPECT_NE(yaml_refusal("a: [" + repeated("1,", 200'001) + "]").find("more than 200,000 values"),
            std::string::npos);
  EXPECT_NE(yaml_refusal("a: \"" + std::string(kYamlScalarBytesMax + 1, 'x') + "\"").find("more than 64 KiB"),
            std::string::npos);
  std::string keys;
  for (int i = 0; i <= 2000; ++i) keys += "k" + std::to_string(i) + ": 1\n";
  EXPECT_NE(yaml_refusal(keys).find("more than 2,000 keys"), std::string::npos);
}

TEST(YamlTree, RefusesAttacksInBoundedTimeAndMemory) {
  const std::string laughs =
      "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b]\n";
  const std::vector<std::string> attacks{laughs,
                                         repeated("[", 200'000),
                                         repeated("{a: ", 100'000),
                                         repeated("- ", 100'000),
                                         repeated("k: 1\n", 32'000),
                                         repeated("? ", 50'000),
                                         std::string("\xff\xfe") + std::string(1000, '\0')};
  const auto start = std::chrono::steady_clock::now();
  for (const auto& attack : attacks) EXPECT_NE(yaml_refusal(attack), "accepted") << attack.substr(0, 40);
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  EXPECT_LT(seconds, 60) << "a busy machine under sanitizers stays far below; unbounded work does not";
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  EXPECT_LT(usage.ru_maxrss, 1 << 20) << "KiB";
}

TEST(YamlTree, ShowsTheLineWithCarets) {
  const SourceText source("f.yaml", "a: 1\n  learning_rate: 1e-4\n");
  const SpecError error = source.error(Place{2, 3}, "unknown key", 13);
  EXPECT_STREQ(error.what(), "f.yaml:2:3: unknown key");
  EXPECT_EQ(error.excerpt, "   2 |   learning_rate: 1e-4\n     |   ^^^^^^^^^^^^^");
}

// What is absent has no place, and columns before the first made an excerpt of npos blanks.
TEST(YamlTree, WhatHasNoPlaceHasNoExcerpt) {
  const SourceText source("f.yaml", "a: 1\n");
  for (const Place nowhere : {Place{0, 0}, Place{1, 0}, Place{0, 1}, Place{-1, -1}}) {
    const SpecError error = source.error(nowhere, "not there");
    EXPECT_STREQ(error.what(), "f.yaml: not there");
    EXPECT_EQ(error.excerpt, "");
  }
}

}  // namespace
}  // namespace ranktide
