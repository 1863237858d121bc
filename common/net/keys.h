#pragma once
// CURVE key pairs and the files they live in. Not who may connect: that is worker_keys.h.
// Keys are Z85 text (40 printable characters). A secret stands alone in `<name>.secret`, mode 0600, in a folder
// of mode 0700; looser modes are refused, because a secret that others could read is no identity. Its public
// half stands beside it in `<name>.public`, for copying.

#include <filesystem>
#include <string>
#include <string_view>

#include "common/net/key_file.h"

namespace ranktide {

constexpr size_t kKeyTextBytes = 40;

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

// Makes a pair that is not there yet.
// Throws: KeyError as above, also when the pair is there already: a key in use is never overwritten.
KeyPair make_new_key_pair(const std::filesystem::path& folder, std::string_view name);

// Returns: the public key in `text`, or in the first line of the file that it names. Throws: KeyError.
std::string read_public_key(const std::string& text);

// Returns: whether the text could be a CURVE key (40 characters of Z85).
bool is_key_text(std::string_view text);

// Returns: the short form of a public key that people compare, 16 hex digits of its SHA-256.
std::string fingerprint(std::string_view public_key);

}  // namespace ranktide
