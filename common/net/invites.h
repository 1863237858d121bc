#pragma once
// Who was invited to join: tokens, each good for a number of keys until a time. A text file of mode 0600 that
// holds only the tokens' hashes, so that reading it lets nobody in. One line an invite:
//   <SHA-256 of the token> <uses left> <good until, ms since 1970> [<public key that used it>]...
// Thread rule: free functions, any thread; commands and the coordinator change the file at any time, under its
// lock.
//
// Used at most as often as it says, whatever crashes: a use is taken off and the key that took it written down
// in one durable replacement of the file, and only after that the caller enrols the key. A crash between the
// two costs nobody: the same key that asks again is found on the line and let through without another use.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "common/net/key_file.h"

namespace ranktide {

constexpr int kInviteUsesMax = 1000;
constexpr size_t kInvitesMax = 1000;

// Makes a token good for `uses` keys until `until_ms`. What ran out over a day ago is forgotten on the way.
// Returns: the token, 64 hex digits, which is written nowhere. Throws: KeyError, also when kInvitesMax are
// open. Requires: 1 <= uses <= kInviteUsesMax.
std::string add_invite(const std::filesystem::path& file, int uses, int64_t until_ms, int64_t now_ms);

enum class InviteStanding { accepted, unknown, used_up, expired };

// Takes one use for this key. Returns after that is durable: accepted, or why not. A key that took one earlier
// is accepted again, also when the invite has run out meanwhile.
// Throws: KeyError for a file that others can read or that is not understood, or failed I/O.
InviteStanding use_invite(const std::filesystem::path& file, std::string_view token,
                          std::string_view public_key, int64_t now_ms);

}  // namespace ranktide
