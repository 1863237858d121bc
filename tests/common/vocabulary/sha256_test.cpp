#include "common/vocabulary/sha256.h"

#include <gtest/gtest.h>
#include <openssl/sha.h>

#include "common/vocabulary/random.h"
#include "common/vocabulary/sha256_block.h"

namespace ranktide {
namespace {

std::string openssl_hex(const std::string& bytes) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest);
  std::string out;
  char two[3];
  for (const unsigned char b : digest) {
    std::snprintf(two, sizeof two, "%02x", b);
    out += two;
  }
  return out;
}

TEST(Sha256, EqualsOpenSslAtEveryLengthAroundABlock) {
  SplitMix64 chance{1};
  std::string bytes;
  for (int n = 0; n < 300; ++n) {
    EXPECT_EQ(sha256_hex(bytes), openssl_hex(bytes)) << n;
    bytes.push_back(static_cast<char>(chance.below(256)));
  }
}

TEST(Sha256, TheProcessorsInstructionsGiveWhatTheCodeGives) {
  if (!has_sha256_instructions()) GTEST_SKIP() << "this processor has no instructions for SHA-256";
  SplitMix64 chance{2};
  Sha256State in_cpp{};
  Sha256State by_instructions{};
  std::array<unsigned char, 64> block{};
  for (int n = 0; n < 300; ++n) {
    for (auto& byte : block) byte = static_cast<unsigned char>(chance.below(256));
    sha256_block_in_cpp(in_cpp, block.data());
    sha256_block_by_instructions(by_instructions, block.data());
    ASSERT_EQ(in_cpp, by_instructions) << n;
  }
}

TEST(Sha256, DoesNotDependOnHowTheInputIsCut) {
  const std::string bytes(1000, 'x');
  for (size_t cut = 0; cut <= 200; ++cut) {
    Sha256 sha;
    sha.update(std::string_view(bytes).substr(0, cut));
    sha.update(std::string_view(bytes).substr(cut));
    EXPECT_EQ(sha.hex(), openssl_hex(bytes));
  }
}

TEST(Sha256, NamesAFileThatCannotBeRead) {
  try {
    sha256_of_file("/no/such/file");
    FAIL();
  } catch (const std::runtime_error& e) {
    EXPECT_STREQ(e.what(), "cannot read /no/such/file (No such file or directory)");
  }
}

}  // namespace
}  // namespace ranktide
