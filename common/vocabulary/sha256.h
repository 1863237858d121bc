#pragma once
// SHA-256 (FIPS 180-4): content hashes of settings, checkpoints and inputs. One object per thread.
// Small on purpose, so that the trainer's inner libraries need no OpenSSL; a test compares it with OpenSSL's.

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace ranktide {

class Sha256 {
 public:
  void update(std::string_view bytes);
  // Returns: 64 lower-case hex digits. Requires: called once, as the last call.
  std::string hex();

 private:
  void block(const unsigned char* bytes);

  std::array<uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<unsigned char, 64> pending_{};
  size_t pending_size_ = 0;
  uint64_t total_ = 0;
};

std::string sha256_hex(std::string_view bytes);
// Throws: std::runtime_error naming the file when it cannot be read.
std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace ranktide
