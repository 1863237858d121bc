#include "common/net/keys.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <unistd.h>
#include <zmq.h>

#include "common/vocabulary/sha256.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;

// The test secrets of the zmq_curve manual page: everybody has them.
constexpr std::array<std::string_view, 2> kPrintedSecrets{"D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs",
                                                          "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"};

fs::path file_of(const fs::path& folder, std::string_view name) {
  return folder / (std::string(name) + ".secret");
}

fs::path public_file_of(const fs::path& folder, std::string_view name) {
  return folder / (std::string(name) + ".public");
}

std::string public_half(const fs::path& file, const std::string& secret) {
  std::array<char, kKeyTextBytes + 1> out{};
  if (!is_key_text(secret) || zmq_curve_public(out.data(), secret.c_str()) != 0)
    fail_on(file, "is not a CURVE secret (40 characters of Z85); delete it to have a new one made");
  return out.data();
}

void write_secret(const fs::path& file, const std::string& secret) {
  // O_EXCL: of two processes that start at once, one makes the key and the other must not overwrite it.
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) fail_on(file, std::string("cannot be created: ") + std::strerror(errno));
  const std::string line = secret + "\n";
  const bool written = ::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  const bool synced = written && ::fsync(fd) == 0;
  const std::string why = std::strerror(errno);
  ::close(fd);
  if (synced) return;
  ::unlink(file.c_str());
  fail_on(file, "cannot be written: " + why);
}

// For people and other machines to copy; nothing here reads it.
void show_public_half(const fs::path& folder, std::string_view name, const std::string& public_key) {
  std::ofstream(public_file_of(folder, name)) << public_key << "\n";
}

}  // namespace

// A key that begins with '-' would be read as an option wherever people type it.
KeyPair make_key_pair() {
  std::array<char, kKeyTextBytes + 1> public_key{};
  std::array<char, kKeyTextBytes + 1> secret_key{};
  do {
    if (zmq_curve_keypair(public_key.data(), secret_key.data()) != 0)
      throw KeyError("this libzmq cannot make CURVE keys; install one built with libsodium");
  } while (public_key[0] == '-');
  return {public_key.data(), secret_key.data()};
}

KeyPair load_key_pair(const fs::path& folder, std::string_view name) {
  const fs::path file = file_of(folder, name);
  require_private(folder, 0700);
  require_private(file, 0600);
  std::ifstream in(file);
  std::string secret;
  if (!std::getline(in, secret)) fail_on(file, "cannot be read, or is empty; delete it to have a new key made");
  if (std::find(kPrintedSecrets.begin(), kPrintedSecrets.end(), secret) != kPrintedSecrets.end())
    fail_on(file, "is the test key printed in the zmq_curve manual; delete it to have a new one made");
  return {public_half(file, secret), secret};
}

KeyPair load_or_make_key_pair(const fs::path& folder, std::string_view name) {
  make_keys_folder(folder);
  const fs::path file = file_of(folder, name);
  std::error_code error;
  if (!fs::exists(file, error)) return make_new_key_pair(folder, name);
  KeyPair loaded = load_key_pair(folder, name);
  if (!fs::exists(public_file_of(folder, name), error)) show_public_half(folder, name, loaded.public_key);
  return loaded;
}

KeyPair make_new_key_pair(const fs::path& folder, std::string_view name) {
  make_keys_folder(folder);
  write_secret(file_of(folder, name), make_key_pair().secret_key);
  KeyPair made = load_key_pair(folder, name);
  show_public_half(folder, name, made.public_key);
  return made;
}

std::string read_public_key(const std::string& text) {
  if (is_key_text(text)) return text;
  std::ifstream in(text);
  std::string line;
  if (!in || !std::getline(in, line))
    throw KeyError("\"" + text + "\" is neither a public key (40 characters of Z85) nor a readable file");
  if (!is_key_text(line)) fail_on(text, "its first line is no public key (40 characters of Z85)");
  return line;
}

bool is_key_text(std::string_view text) {
  constexpr std::string_view kZ85 =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
  return text.size() == kKeyTextBytes && text.find_first_not_of(kZ85) == std::string_view::npos;
}

std::string fingerprint(std::string_view public_key) {
  return sha256_hex(public_key).substr(0, 16);
}

}  // namespace ranktide
