#include "common/net/invites.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <sstream>
#include <sys/random.h>
#include <vector>

#include "common/net/keys.h"
#include "common/vocabulary/check.h"
#include "common/vocabulary/sha256.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kForgottenAfterMs = 24 * 3600 * 1000;

struct Invite {
  std::string token_sha256;
  int uses_left = 0;
  int64_t until_ms = 0;
  std::vector<std::string> keys;  // that used it
};

Invite parse(const fs::path& file, size_t number, const std::string& line) {
  std::istringstream words(line);
  Invite invite;
  words >> invite.token_sha256 >> invite.uses_left >> invite.until_ms;
  const bool is_sound = !words.fail() && invite.token_sha256.size() == 64 && invite.uses_left >= 0;
  if (!is_sound)
    fail_on(file,
            "line " + std::to_string(number) + ": expected <token hash> <uses left> <good until> [<key>]...");
  for (std::string key; words >> key;) invite.keys.push_back(key);
  return invite;
}

std::string line_of(const Invite& invite) {
  std::string line =
      invite.token_sha256 + " " + std::to_string(invite.uses_left) + " " + std::to_string(invite.until_ms);
  for (const std::string& key : invite.keys) line += " " + key;
  return line;
}

std::vector<Invite> read(const fs::path& file) {
  std::error_code error;
  if (fs::exists(file, error)) require_private(file, 0600);
  std::vector<Invite> invites;
  for (const std::string& line : lines_of(file)) invites.push_back(parse(file, invites.size() + 1, line));
  return invites;
}

void write(const fs::path& file, const std::vector<Invite>& invites) {
  std::vector<std::string> lines;
  for (const Invite& invite : invites) lines.push_back(line_of(invite));
  replace_lines(file, lines);
}

// From the kernel: a token is a secret.
std::string random_token() {
  std::array<unsigned char, 32> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    throw KeyError(std::string("the kernel gives no random bytes: ") + std::strerror(errno));
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const unsigned char byte : bytes) (out += kDigits[byte >> 4]) += kDigits[byte & 0xf];
  return out;
}

}  // namespace

std::string add_invite(const fs::path& file, int uses, int64_t until_ms, int64_t now_ms) {
  RT_CHECK(uses >= 1);
  RT_CHECK(uses <= kInviteUsesMax);
  make_keys_folder(file.parent_path());
  const FileLock lock(file);
  std::vector<Invite> invites = read(file);
  std::erase_if(invites, [&](const Invite& invite) { return invite.until_ms + kForgottenAfterMs < now_ms; });
  if (invites.size() >= kInvitesMax)
    fail_on(file, std::to_string(kInvitesMax) + " invites are open; wait until some have run out");
  const std::string token = random_token();
  invites.push_back({.token_sha256 = sha256_hex(token), .uses_left = uses, .until_ms = until_ms, .keys = {}});
  write(file, invites);
  return token;
}

InviteStanding use_invite(const fs::path& file, std::string_view token, std::string_view public_key,
                          int64_t now_ms) {
  RT_CHECK(is_key_text(public_key));
  const FileLock lock(file);
  std::vector<Invite> invites = read(file);
  const std::string wanted = sha256_hex(token);
  const auto invite = std::find_if(invites.begin(), invites.end(),
                                   [&](const Invite& each) { return each.token_sha256 == wanted; });
  if (invite == invites.end()) return InviteStanding::unknown;
  if (std::find(invite->keys.begin(), invite->keys.end(), public_key) != invite->keys.end())
    return InviteStanding::accepted;
  if (now_ms >= invite->until_ms) return InviteStanding::expired;
  if (invite->uses_left == 0) return InviteStanding::used_up;
  --invite->uses_left;
  invite->keys.emplace_back(public_key);
  write(file, invites);
  return InviteStanding::accepted;
}

}  // namespace ranktide
