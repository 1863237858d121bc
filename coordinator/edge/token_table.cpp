#include "coordinator/edge/token_table.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <sys/random.h>
#include <sys/stat.h>

#include "common/sweep/setting_check.h"
#include "common/vocabulary/check.h"
#include "common/vocabulary/sha256.h"
#include "coordinator/core/records.h"

namespace ranktide {
namespace fs = std::filesystem;

namespace {

constexpr size_t kTokensMax = 1'000;  // each costs a comparison per request

std::vector<Token> read_tokens(const fs::path& file) {
  std::error_code error;
  if (!fs::exists(file, error)) return {};
  require_private(file.parent_path(), 0700);
  require_private(file, 0600);
  std::vector<Token> out;
  for (const std::string& line : lines_of(file)) try {
      out.push_back(from_json<Token>(parse_json(line)));
    } catch (const ProtocolError& wrong) {
      fail_on(file, "line " + std::to_string(out.size() + 1) + " is not understood: " + wrong.what() +
                        "; restore it, or delete it and add the token again");
    }
  return out;
}

void write_tokens(const fs::path& file, const std::vector<Token>& tokens) {
  std::vector<std::string> lines;
  for (const Token& token : tokens) lines.push_back(to_json(token).dump());
  replace_lines(file, lines);
}

std::string make_secret() {
  std::array<unsigned char, 32> bytes{};
  RT_CHECK(::getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "rt_";
  for (const unsigned char byte : bytes) out += {kDigits[byte >> 4], kDigits[byte & 0xf]};
  return out;
}

// Looks at every character whatever it meets, so that the time tells nothing about where two texts differ.
bool are_equal(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (size_t i = 0; i < a.size(); ++i)
    difference |= static_cast<unsigned>(static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]));
  return difference == 0;
}

void require_name(const std::string& name) {
  if (!is_name(name)) throw std::invalid_argument(name_refusal("a token's name", name));
  if (name == kLocalActor)
    throw std::invalid_argument(std::string("\"") + kLocalActor +
                                "\" is what requests without a token are called; choose another name");
}

}  // namespace

TokenStanding standing_of(const Token& token, int64_t now_ms) {
  if (token.is_revoked) return TokenStanding::revoked;
  if (token.expires_ms && *token.expires_ms <= now_ms) return TokenStanding::expired;
  return TokenStanding::active;
}

fs::path tokens_file(const fs::path& data_folder) {
  return data_folder / "keys" / "tokens";
}

TokenTable::TokenTable(fs::path file) : file_(std::move(file)) {
  refresh();
}

bool TokenTable::refresh() {
  const Stamp stamp = stamp_of(file_);
  if (stamp == stamp_) return false;
  stamp_ = stamp;
  tokens_.clear();
  tokens_ = read_tokens(file_);
  return true;
}

TokenTable::Stamp TokenTable::stamp_of(const fs::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return {};
  return {.inode = info.st_ino,
          .size = info.st_size,
          .changed_ns = info.st_ctim.tv_sec * 1'000'000'000 + info.st_ctim.tv_nsec};
}

const Token* TokenTable::find(std::string_view secret) const {
  const std::string hash = sha256_hex(secret);
  const Token* found = nullptr;
  for (const Token& token : tokens_)
    if (are_equal(token.sha256, hash)) found = &token;
  return found;
}

std::string add_token(const fs::path& file, Token token, int64_t now_ms) {
  require_name(token.name);
  make_keys_folder(file.parent_path());
  require_private(file.parent_path(), 0700);
  const FileLock lock(file);
  std::vector<Token> tokens = read_tokens(file);
  for (const Token& other : tokens)
    if (other.name == token.name && standing_of(other, now_ms) == TokenStanding::active)
      throw std::invalid_argument("there is an active token \"" + token.name + "\"; revoke it first");
  std::erase_if(tokens, [&](const Token& other) { return other.name == token.name; });
  if (tokens.size() >= kTokensMax)
    throw std::invalid_argument(file.string() + " holds " + std::to_string(kTokensMax) + " tokens already");
  const std::string secret = make_secret();
  token.sha256 = sha256_hex(secret);
  tokens.push_back(std::move(token));
  write_tokens(file, tokens);
  return secret;
}

void revoke_token(const fs::path& file, std::string_view name, int64_t now_ms) {
  const auto refuse = [&] {
    throw std::invalid_argument("no active token is named \"" + std::string(name) +
                                "\"; `ranktide token list` shows them");
  };
  if (!fs::exists(file)) refuse();
  const FileLock lock(file);
  std::vector<Token> tokens = read_tokens(file);
  const auto found = std::find_if(tokens.begin(), tokens.end(), [&](const Token& token) {
    return token.name == name && standing_of(token, now_ms) == TokenStanding::active;
  });
  if (found == tokens.end()) refuse();
  found->is_revoked = true;
  write_tokens(file, tokens);
}

}  // namespace ranktide
