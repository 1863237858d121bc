#pragma once
// CURVE key pairs and the files they live in. Not who may connect: that is worker_keys.h.
// Keys are Z85 text (40 printable characters). A secret stands alone in `<name>.secret`, mode 0600, in a folder
// of mode 0700; looser modes are refused, because a secret that others could read is no identity.

#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

namespace ranktide {

constexpr size_t kKeyTextBytes = 40;

struct KeyError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct KeyPair {
  std::string public_key;
  std::string secret_key;
};

KeyPair make_key_pair();

// Returns: the pair kept in `folder` under `name`; makes folder and pair when they are not there yet.
// Throws: KeyError for loose modes, a malformed file, a key that is printed in a manual, or failed I/O.
KeyPair load_or_make_key_pair(const std::filesystem::path& folder, std::string_view name);
// As above, but an absent file is an error.
KeyPair load_key_pair(const std::filesystem::path& folder, std::string_view name);

// Returns: whether the text could be a CURVE key (40 characters of Z85).
bool is_key_text(std::string_view text);

// Returns: the short form of a public key that people compare, 16 hex digits of its SHA-256.
std::string fingerprint(std::string_view public_key);

}  // namespace ranktide
