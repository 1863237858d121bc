#pragma once
// Who may ask over HTTP, and for what: the named tokens of a data folder. The file holds no token, only its
// SHA-256, and is read again when it has changed, so that a token is added or revoked without a restart. Not
// the check of a request (http_access.h). One line a token: its fields as JSON. Thread rule: one object per
// thread; other processes may change the file at any time.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/net/key_file.h"
#include "common/vocabulary/wire.h"

namespace ranktide {

// What a token allows; each includes those before it. Texts are permanent.
enum class Scope { read, submit, admin };
template <>
struct EnumTexts<Scope> {
  static constexpr std::array texts{"read", "submit", "admin"};
};

// A token as the file knows it. Its name owns the sweeps that it submits.
struct Token {
  std::string name;
  std::string sha256;  // of the secret
  Scope scope = Scope::read;
  std::optional<int> max_slots;       // at a time, of all its sweeps; absent: no limit
  std::optional<int64_t> expires_ms;  // Unix time; absent: never
  bool is_revoked = false;
};
template <class Ar>
void fields(Ar& ar, Token& t) {
  ar("name", t.name)("sha256", t.sha256)("scope", t.scope)("max_slots", t.max_slots);
  ar("expires_ms", t.expires_ms)("is_revoked", t.is_revoked);
}

enum class TokenStanding { unknown, expired, revoked, active };
template <>
struct EnumTexts<TokenStanding> {
  static constexpr std::array texts{"unknown", "expired", "revoked", "active"};
};
TokenStanding standing_of(const Token& token, int64_t now_ms);

// Returns: where a data folder keeps its tokens.
std::filesystem::path tokens_file(const std::filesystem::path& data_folder);

class TokenTable {
 public:
  // An absent file is an empty table. Throws: KeyError for a file that others can read or that is not
  // understood.
  explicit TokenTable(std::filesystem::path file);

  // Reads the file again if it is another one than last time. Returns: whether it was read. Throws: as the
  // constructor, once per state of the file; the table is then empty, because the file may take a token away.
  bool refresh();

  // Returns: the token with this secret, nullptr when there is none. Takes the same time for every secret of
  // one length.
  const Token* find(std::string_view secret) const;
  const std::vector<Token>& tokens() const { return tokens_; }

 private:
  struct Stamp {  // which file was read; a rename puts another inode in place
    uint64_t inode = 0;
    int64_t size = -1;
    int64_t changed_ns = 0;  // mode changes too
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  static Stamp stamp_of(const std::filesystem::path& file);

  std::filesystem::path file_;
  std::vector<Token> tokens_;
  Stamp stamp_;
};

// Adds a token with a fresh secret of 256 bits; an earlier one of that name must be revoked or expired, and is
// replaced. `token.sha256` is filled in. Returns: the secret; nobody can tell it again.
// Throws: KeyError, or std::invalid_argument for a name that is malformed or in use.
std::string add_token(const std::filesystem::path& file, Token token, int64_t now_ms);
// Throws: std::invalid_argument when no token of that name is active; KeyError.
void revoke_token(const std::filesystem::path& file, std::string_view name, int64_t now_ms);

}  // namespace ranktide
