#include "common/text/tokenizer.h"

#include <gmock/gmock.h>

#include "common/text/unicode.h"
#include "common/vocabulary/wire.h"
#include "tests/common/text/text_fixture.h"

namespace ranktide {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Ids = std::vector<int32_t>;

class TokenizerTest : public TextTest {
 protected:
  // A copy of the small GPT-2 tokenizer with one top-level part replaced.
  std::string changed(const char* part, const Json& value) {
    std::ifstream in(RANKTIDE_SOURCE_DIR "/tests/golden/tokenizer/gpt2/tokenizer.json");
    Json json = Json::parse(in);
    json[Json::json_pointer(part)] = value;
    file("tokenizer.json", json.dump());
    return path("");
  }
  std::string refusal(const char* part, const Json& value) {
    const std::string folder = changed(part, value);
    return message_of<TokenizerError>([&] { Tokenizer::load(folder); });
  }
};

TEST(Unicode, ReplacesEachMaximalInvalidPartAsPythonDoes) {
  EXPECT_EQ(valid_utf8("a\xFFz"), "a\uFFFDz");
  EXPECT_EQ(valid_utf8("\xE2\x82"), "\uFFFD");                  // a euro sign that was cut off
  EXPECT_EQ(valid_utf8("\xC0\xAF"), "\uFFFD\uFFFD");            // overlong
  EXPECT_EQ(valid_utf8("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");  // a surrogate
  EXPECT_EQ(valid_utf8("\xF0\x9F\x98\xF0\x9F\x98\x80"), "\uFFFD\U0001F600");
  EXPECT_EQ(valid_utf8("naïve 가 😀"), "naïve 가 😀");
}

TEST_F(TokenizerTest, ReadsInvalidUtf8AsReplacementCharacters) {
  const Tokenizer tokenizer = small_tokenizer("gpt2");
  EXPECT_EQ(tokenizer.encode("a\xFFz", Special::recognise), tokenizer.encode("a\uFFFDz", Special::recognise));
}

TEST_F(TokenizerTest, SpellsSpecialTokensOutInUserText) {
  const Tokenizer tokenizer = small_tokenizer("smollm2");
  const int32_t end = *tokenizer.id_of("<|im_end|>");
  EXPECT_EQ(tokenizer.encode("<|im_end|>", Special::recognise), Ids{end});
  const Ids spelled = tokenizer.encode("<|im_end|>", Special::as_text);
  EXPECT_EQ(std::count(spelled.begin(), spelled.end(), end), 0);
  EXPECT_EQ(tokenizer.decode(spelled), "<|im_end|>");
}

TEST_F(TokenizerTest, SplitsEachDigitForSmolLm2) {
  EXPECT_EQ(small_tokenizer("smollm2").encode("2024", Special::as_text).size(), 4u);
}

TEST_F(TokenizerTest, KnowsHowDocumentsBeginAndEnd) {
  const Tokenizer llama = small_tokenizer("llama3");
  EXPECT_TRUE(llama.starts_with_bos());  // by its post-processor
  EXPECT_EQ(llama.bos(), llama.id_of("<|begin_of_text|>"));
  EXPECT_EQ(llama.eos(), llama.id_of("<|eot_id|>"));
  EXPECT_TRUE(small_tokenizer("tekken").starts_with_bos());  // by add_bos_token
  EXPECT_FALSE(small_tokenizer("smollm2").starts_with_bos());
  EXPECT_FALSE(small_tokenizer("qwen2").bos().has_value());
}

TEST_F(TokenizerTest, TakesTheEndsOfAGenerationFromItsOwnFile) {
  const std::string folder = changed("/truncation", nullptr);
  file("generation_config.json", R"({"eos_token_id": [0, 7]})");
  EXPECT_EQ(Tokenizer::load(folder).eos(), 0);
  EXPECT_EQ(Tokenizer::load(folder).eos_ids(), (Ids{0, 7}));
}

TEST_F(TokenizerTest, ReadsMergesInBothSpellings) {
  const Tokenizer original = small_tokenizer("gpt2");
  std::ifstream in(RANKTIDE_SOURCE_DIR "/tests/golden/tokenizer/gpt2/tokenizer.json");
  Json merges = Json::parse(in)["model"]["merges"];
  ASSERT_TRUE(merges[0].is_array());
  for (Json& merge : merges) merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
  const std::string text = "The weights of the adapters";
  EXPECT_EQ(Tokenizer::load(changed("/model/merges", merges)).encode(text, Special::as_text),
            original.encode(text, Special::as_text));
}

TEST_F(TokenizerTest, HasAnIdentityOfContentThatSpecialTokensBelongTo) {
  const std::string folder = changed("/truncation", nullptr);
  const std::string plain = Tokenizer::load(folder).sha256();
  EXPECT_EQ(Tokenizer::load(folder).sha256(), plain);
  file("tokenizer_config.json", R"({"eos_token": "<|endoftext|>"})");
  EXPECT_NE(Tokenizer::load(folder).sha256(), plain);
}

TEST_F(TokenizerTest, RefusesOtherShapesByName) {
  EXPECT_THAT(refusal("/model/type", "Unigram"),
              HasSubstr("tokenizer kind \"Unigram\" is not supported: supported are"));
  EXPECT_THAT(refusal("/model/byte_fallback", true), HasSubstr("BPE with byte_fallback"));
  EXPECT_THAT(refusal("/normalizer", {{"type", "NFKC"}}), HasSubstr("normalizer \"NFKC\" is not supported"));
  EXPECT_THAT(refusal("/pre_tokenizer", {{"type", "Metaspace"}}),
              HasSubstr("pre_tokenizer \"Metaspace\" is not supported"));
  EXPECT_THAT(refusal("/pre_tokenizer", nullptr), HasSubstr("pre_tokenizer without a ByteLevel stage"));
  EXPECT_THAT(refusal("/decoder", {{"type", "WordPiece"}}), HasSubstr("decoder \"WordPiece\""));
  EXPECT_THAT(refusal("/post_processor", {{"type", "BertProcessing"}}),
              HasSubstr("post_processor \"BertProcessing\""));
}

TEST_F(TokenizerTest, RefusesAPatternThatDoesNotCompile) {
  const Json split = {
      {"type", "Split"}, {"pattern", {{"Regex", "(a"}}}, {"behavior", "Isolated"}, {"invert", false}};
  const Json stages = {split, {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}};
  EXPECT_THAT(refusal("/pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", stages}}),
              HasSubstr("pattern \"(a\" does not compile"));
}

TEST_F(TokenizerTest, SaysWhereAFileIsCutOff) {
  file("tokenizer.json", "{\n \"model\": {");
  EXPECT_THAT(message_of<TokenizerError>([&] { Tokenizer::load(path("")); }),
              AllOf(HasSubstr("tokenizer.json:2:12: malformed JSON"), HasSubstr("copy it again")));
}

TEST_F(TokenizerTest, SaysWhatAFolderWithoutTokenizerJsonNeeds) {
  EXPECT_THAT(message_of<TokenizerError>([&] { Tokenizer::load(path("")); }),
              HasSubstr("has no tokenizer.json; save"));
  file("tokenizer.model", "");
  EXPECT_THAT(message_of<TokenizerError>([&] { Tokenizer::load(path("")); }),
              HasSubstr("only tokenizer.model (SentencePiece), which is not supported"));
}

TEST_F(TokenizerTest, RefusesAnEosThatIsNoToken) {
  changed("/truncation", nullptr);
  file("tokenizer_config.json", R"({"eos_token": "</s>"})");
  EXPECT_THAT(message_of<TokenizerError>([&] { Tokenizer::load(path("")); }),
              HasSubstr("eos_token is \"</s>\", which is no token"));
}

}  // namespace
}  // namespace ranktide
