#include "common/net/keys.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>
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

[[noreturn]] void fail(const fs::path& where, const std::string& what) {
  throw KeyError(where.string() + ": " + what);
}

std::string reason() {
  return std::strerror(errno);
}

void require_private(const fs::path& path, mode_t allowed, const std::string& remedy) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) fail(path, "cannot be read: " + reason());
  if ((info.st_mode & 0777 & ~allowed) != 0)
    fail(path, "others can reach this secret; run: " + remedy + " " + path.string() +
                   ", and make new keys if anyone may have read it");
}

std::string public_half(const fs::path& file, const std::string& secret) {
  std::array<char, kKeyTextBytes + 1> out{};
  if (!is_key_text(secret) || zmq_curve_public(out.data(), secret.c_str()) != 0)
    fail(file, "is not a CURVE secret (40 characters of Z85); delete it to have a new one made");
  return out.data();
}

void write_secret(const fs::path& file, const std::string& secret) {
  // O_EXCL: of two processes that start at once, one makes the key and the other must not overwrite it.
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) fail(file, "cannot be created: " + reason());
  const std::string line = secret + "\n";
  const bool written = ::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  const bool synced = written && ::fsync(fd) == 0;
  const std::string why = reason();
  ::close(fd);
  if (synced) return;
  ::unlink(file.c_str());
  fail(file, "cannot be written: " + why);
}

void make_private_folder(const fs::path& folder) {
  std::error_code error;
  if (fs::exists(folder, error)) return;
  fs::create_directories(folder.parent_path(), error);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) fail(folder, "cannot be created: " + reason());
}

}  // namespace

KeyPair make_key_pair() {
  std::array<char, kKeyTextBytes + 1> public_key{};
  std::array<char, kKeyTextBytes + 1> secret_key{};
  if (zmq_curve_keypair(public_key.data(), secret_key.data()) != 0)
    throw KeyError("this libzmq cannot make CURVE keys; install one built with libsodium");
  return {public_key.data(), secret_key.data()};
}

KeyPair load_key_pair(const fs::path& folder, std::string_view name) {
  const fs::path file = file_of(folder, name);
  require_private(folder, 0700, "chmod 700");
  require_private(file, 0600, "chmod 600");
  std::ifstream in(file);
  std::string secret;
  if (!std::getline(in, secret)) fail(file, "cannot be read, or is empty; delete it to have a new key made");
  if (std::find(kPrintedSecrets.begin(), kPrintedSecrets.end(), secret) != kPrintedSecrets.end())
    fail(file, "is the test key printed in the zmq_curve manual; delete it to have a new one made");
  return {public_half(file, secret), secret};
}

KeyPair load_or_make_key_pair(const fs::path& folder, std::string_view name) {
  make_private_folder(folder);
  const fs::path file = file_of(folder, name);
  std::error_code error;
  if (!fs::exists(file, error)) write_secret(file, make_key_pair().secret_key);
  return load_key_pair(folder, name);
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
