#include "common/model/safetensors.h"

#include <cstring>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/common/model/scratch.h"

namespace ranktide {
namespace {

using testing::HasSubstr;

std::string file_of(const std::string& header, const std::string& buffer) {
  const uint64_t n = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &n, 8);
  return bytes + header + buffer;
}

std::string file_refusal(const std::string& content) {
  const Scratch scratch;
  const auto path = scratch.put("model.safetensors", content);
  try {
    SafetensorsFile file(path);
    return "accepted";
  } catch (const ModelError& e) {
    EXPECT_THAT(e.what(), HasSubstr("model.safetensors"));
    return e.what();
  }
}

const std::string kTwo =
    R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"BF16","shape":[],"data_offsets":[8,10]}})";

TEST(Safetensors, ReadsTensorsAndMetadata) {
  const Scratch scratch;
  const SafetensorsFile file(
      scratch.put("x", file_of(R"({"__metadata__":{"format":"pt"},)" + kTwo.substr(1) + "  ", "01234567ab")));
  EXPECT_EQ(file.metadata().at("format"), "pt");
  EXPECT_EQ(file.tensors().at("a").shape, std::vector<int64_t>{2});
  EXPECT_EQ(static_cast<char>(file.tensors().at("b").bytes[0]), 'a');
}

TEST(Safetensors, WhatIsWrittenIsReadBackWidestFirst) {
  const Scratch scratch;
  const std::string narrow = "xy", wide = "01234567";
  write_safetensors(scratch.path() / "w", {{"a", {"BF16", {1}, std::as_bytes(std::span(narrow))}},
                                           {"z", {"F32", {1, 2}, std::as_bytes(std::span(wide))}}});
  const SafetensorsFile file(scratch.path() / "w");
  EXPECT_EQ(file.tensors().at("z").shape, (std::vector<int64_t>{1, 2}));
  EXPECT_LT(file.tensors().at("z").bytes.data(), file.tensors().at("a").bytes.data());
  EXPECT_EQ(std::memcmp(file.tensors().at("z").bytes.data(), wide.data(), 8), 0);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(file.tensors().at("z").bytes.data()) % 8, 0U);
}

TEST(Safetensors, OneTensorAfterTheOtherIsTheSameFile) {
  const Scratch scratch;
  const std::string narrow = "xy", wide = "01234567";
  std::vector<std::string> asked;
  std::string held;  // one at a time
  stream_safetensors(scratch.path() / "one", {{"a", {"BF16", {1}}}, {"z", {"F32", {1, 2}}}},
                     [&](const std::string& name) {
                       asked.push_back(name);
                       held = name == "a" ? narrow : wide;
                       return std::as_bytes(std::span(held));
                     });
  write_safetensors(scratch.path() / "all", {{"a", {"BF16", {1}, std::as_bytes(std::span(narrow))}},
                                             {"z", {"F32", {1, 2}, std::as_bytes(std::span(wide))}}});
  EXPECT_EQ(asked, (std::vector<std::string>{"z", "a"}));
  const auto bytes = [&](const char* name) {
    std::ifstream in(scratch.path() / name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  EXPECT_EQ(bytes("one"), bytes("all"));
}

TEST(Safetensors, RefusesDamageAndSaysWhich) {
  const std::string good = file_of(kTwo, "01234567ab");
  EXPECT_EQ(file_refusal(good), "accepted");
  EXPECT_THAT(file_refusal("short"), HasSubstr("shorter than its 8-byte prefix"));
  EXPECT_THAT(file_refusal(good.substr(0, 40)), HasSubstr("ends inside its header"));
  EXPECT_THAT(file_refusal(good.substr(0, good.size() - 1)), HasSubstr("ends before its tensors do"));
  EXPECT_THAT(file_refusal(good + "!"), HasSubstr("left over"));
  EXPECT_THAT(file_refusal(std::string(8, '\xff') + "{}"), HasSubstr("more than 100 MB"));
  EXPECT_THAT(file_refusal(file_of("[]", "")), HasSubstr("does not start with {"));
  EXPECT_THAT(file_refusal(file_of("{\"a\":", "")), HasSubstr("malformed"));
}

TEST(Safetensors, RefusesHeadersThatLie) {
  EXPECT_THAT(
      file_refusal(file_of(
          R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
          "01234567")),
      HasSubstr("given twice"));
  EXPECT_THAT(file_refusal(file_of(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", "01234567")),
              HasSubstr("does not fit its bytes"));
  EXPECT_THAT(file_refusal(
                  file_of(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", "")),
              HasSubstr("does not fit its bytes"));
  EXPECT_THAT(file_refusal(file_of(R"({"a":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}})", "01234567")),
              HasSubstr("unknown dtype"));
  EXPECT_THAT(file_refusal(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", "01234567")),
              HasSubstr("hole or overlap"));
  EXPECT_THAT(
      file_refusal(file_of(
          R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
          "01234567")),
      HasSubstr("hole or overlap"));
  EXPECT_THAT(file_refusal(file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", "01234567")),
              HasSubstr("impossible data_offsets"));
}

std::string one(const std::string& name) {
  return file_of("{\"" + name + R"(":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "0123");
}

TEST(WeightFiles, FollowsTheIndexToItsShards) {
  const Scratch s;
  s.put("one.safetensors", one("a"));
  s.put("two.safetensors", one("b"));
  s.put("model.safetensors.index.json",
        R"({"metadata":{},"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})");
  const WeightFiles files(s.path());
  EXPECT_NE(files.find("b"), nullptr);
  EXPECT_EQ(files.find("c"), nullptr);
  EXPECT_EQ(files.paths().size(), 2U);
}

TEST(WeightFiles, RefusesAnIndexThatItsShardsContradict) {
  const Scratch s;
  s.put("one.safetensors", one("a"));
  s.put("model.safetensors.index.json", R"({"weight_map":{"b":"one.safetensors"}})");
  EXPECT_THROW(WeightFiles{s.path()}, ModelError);
  s.put("model.safetensors.index.json", R"({"weight_map":{"a":"../one.safetensors"}})");
  EXPECT_THROW(WeightFiles{s.path()}, ModelError);
  s.put("model.safetensors.index.json", R"({"weight_map":{"a":"absent.safetensors"}})");
  EXPECT_THROW(WeightFiles{s.path()}, ModelError);
}

TEST(WeightFiles, SaysWhatToDoWithOtherFormats) {
  const Scratch s;
  try {
    WeightFiles files(s.path());
    FAIL();
  } catch (const ModelError& e) {
    EXPECT_THAT(e.what(), HasSubstr("must be converted first"));
  }
}

}  // namespace
}  // namespace ranktide
