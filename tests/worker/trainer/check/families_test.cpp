#include "worker/trainer/check/families.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <set>
#include <sstream>

#include "common/model/cost.h"
#include "common/model/shape.h"
#include "tests/common/model/scratch.h"

namespace ranktide {
namespace {

ModelShape shape_of_config(const Json& config) {
  const Scratch scratch;
  scratch.put("config.json", config.dump());
  return read_shape(scratch.path());
}

std::map<std::string, ModelShape> shapes() {
  std::map<std::string, ModelShape> by_name;
  for (const Family& family : families()) by_name[family.name] = shape_of_config(family.config);
  return by_name;
}

// As the refusal of an unknown one lists them: "... known: a, b, c".
std::set<std::string> known_model_types() {
  try {
    shape_of_config({{"model_type", "gpt"}});
  } catch (const ModelError& e) {
    const std::string message = e.what();
    std::istringstream list(message.substr(message.find("known: ") + 7));
    std::set<std::string> types;
    for (std::string type; std::getline(list, type, ',');)
      types.insert(type.substr(type.find_first_not_of(' ')));
    return types;
  }
  return {};
}

TEST(Families, AreAllThatAShapeIsReadOf) {
  std::set<std::string> types;
  for (const Family& family : families()) types.insert(family.config.at("model_type").get<std::string>());
  EXPECT_THAT(known_model_types(), testing::SizeIs(testing::Ge(4U)));
  EXPECT_EQ(types, known_model_types());
}

TEST(Families, HaveWhatEachDoesDifferently) {
  auto shape = shapes();
  EXPECT_TRUE(shape.at("llama").tied_head);
  EXPECT_FALSE(shape.at("llama").llama3_rope);
  EXPECT_TRUE(shape.at("llama3").llama3_rope);
  EXPECT_NE(shape.at("mistral").heads * shape.at("mistral").head_dim, shape.at("mistral").hidden);
  EXPECT_TRUE(shape.at("qwen2").qkv_bias);
  EXPECT_TRUE(shape.at("qwen3").qk_norm);
  for (const auto& [name, s] : shape) EXPECT_LT(s.kv_heads, s.heads) << name;
}

TEST(Families, HaveOneOfMoreWordsAndTokensThanASumIsMadeOfAtOnce) {
  auto shape = shapes();
  const auto with_long_rows = std::find_if(families().begin(), families().end(),
                                           [](const Family& family) { return family.longest_row > 1024; });
  ASSERT_NE(with_long_rows, families().end());
  EXPECT_GT(shape.at(with_long_rows->name).vocabulary, 1024);
  // A block of a row's end: from 2^18 values on a device draws the mask itself.
  EXPECT_GE(
      kAttentionRows * shape.at(with_long_rows->name).heads * (with_long_rows->longest_row - kAttentionRows),
      1 << 18);
}

}  // namespace
}  // namespace ranktide
