// Token ids equal Hugging Face tokenizers' on 5.4 MB of mixed text, for a small tokenizer of each supported
// shape and for SmolLM2's where it was imported. The goldens are counts and hashes made by
// tests/golden/make_tokenizer_goldens.py.

#include <bit>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

#include "common/text/tokenizer.h"
#include "common/vocabulary/sha256.h"
#include "common/vocabulary/wire.h"
#include "tests/common/text/mixed_text.h"
#include "tests/sanitised.h"

namespace ranktide {
namespace {

const std::filesystem::path kGoldens = RANKTIDE_SOURCE_DIR "/tests/golden/tokenizer";

Json golden(const std::filesystem::path& file) {
  std::ifstream in(kGoldens / file);
  return Json::parse(in);
}

std::string hash_of(const std::vector<int32_t>& ids) {
  static_assert(std::endian::native == std::endian::little);
  return sha256_hex({reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(int32_t)}).substr(0, 16);
}

void expect_equal_ids(const Tokenizer& tokenizer, const Json& wanted, Special special) {
  for (int i = 0; i < tried_of(kMixedChunks); ++i) {
    const std::vector<int32_t> ids = tokenizer.encode(mixed_text(i), special);
    EXPECT_EQ(Json({ids.size(), hash_of(ids)}), wanted[static_cast<size_t>(i)]) << "chunk " << i;
  }
}

void expect_equal_ids(const Tokenizer& tokenizer, const Json& goldens) {
  expect_equal_ids(tokenizer, goldens["recognise"], Special::recognise);
  expect_equal_ids(tokenizer, goldens["as_text"], Special::as_text);
}

class EachShape : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Tokenizer, EachShape, testing::Values("gpt2", "llama3", "qwen2", "smollm2", "tekken"),
                         [](const auto& shape) { return std::string(shape.param); });

TEST(MixedText, IsTheTextThatTheGoldensWereMadeOf) {
  const Json wanted = golden("mixed_text.json")["sha256"];
  size_t bytes = 0;
  for (int i = 0; i < kMixedChunks; ++i) {
    const std::string text = mixed_text(i);
    bytes += text.size();
    EXPECT_EQ(sha256_hex(text).substr(0, 16), wanted[static_cast<size_t>(i)]) << "chunk " << i;
  }
  EXPECT_GE(bytes, 5'000'000u);
}

TEST_P(EachShape, GivesTheIdsOfHuggingFaceTokenizers) {
  const std::filesystem::path folder = GetParam();
  expect_equal_ids(Tokenizer::load(kGoldens / folder), golden(folder / "goldens.json"));
}

// Not qwen2's, whose NFC and white-space-taking tokens lose text by design.
TEST(Tokenizer, DecodesWhatItEncoded) {
  const std::string text = mixed_text(0);
  for (const char* shape : {"gpt2", "llama3", "smollm2", "tekken"}) {
    const Tokenizer tokenizer = Tokenizer::load(kGoldens / shape);
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text, Special::recognise)), text) << shape;
  }
}

TEST(Tokenizer, GivesTheIdsOfHuggingFaceForSmolLm2) {
  const std::filesystem::path folder = RANKTIDE_SOURCE_DIR "/models/smollm2-135m";
  if (!std::filesystem::exists(folder / "tokenizer.json"))
    GTEST_SKIP() << "needs models/smollm2-135m, which ./bootstrap makes";
  expect_equal_ids(Tokenizer::load(folder), golden("smollm2.json"));
}

}  // namespace
}  // namespace ranktide
