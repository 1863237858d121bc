#include "common/vocabulary/sha256.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <vector>

#include "common/vocabulary/sha256_block.h"

namespace ranktide {
void Sha256::block(const unsigned char* bytes) {
  static const auto take = has_sha256_instructions() ? sha256_block_by_instructions : sha256_block_in_cpp;
  take(state_, bytes);
}

void Sha256::update(std::string_view bytes) {
  total_ += bytes.size();
  const auto* p = reinterpret_cast<const unsigned char*>(bytes.data());
  size_t left = bytes.size();
  while (left > 0) {
    if (pending_size_ == 0 && left >= 64) {
      block(p);
      p += 64, left -= 64;
      continue;
    }
    const size_t n = std::min(left, 64 - pending_size_);
    std::memcpy(pending_.data() + pending_size_, p, n);
    pending_size_ += n, p += n, left -= n;
    if (pending_size_ == 64) {
      block(pending_.data());
      pending_size_ = 0;
    }
  }
}

std::string Sha256::hex() {
  const uint64_t bits = total_ * 8;
  std::string tail(1, '\x80');
  tail.append((119 - total_ % 64) % 64, '\0');
  for (int shift = 56; shift >= 0; shift -= 8) tail.push_back(static_cast<char>(bits >> shift & 0xff));
  update(tail);
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const uint32_t word : state_)
    for (int shift = 28; shift >= 0; shift -= 4) out.push_back(kDigits[word >> shift & 0xf]);
  return out;
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 sha;
  sha.update(bytes);
  return sha.hex();
}

std::string sha256_of_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path.string() + " (" + std::strerror(errno) + ")");
  Sha256 sha;
  std::vector<char> buffer(1 << 20);
  while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())), in.gcount() > 0)
    sha.update({buffer.data(), static_cast<size_t>(in.gcount())});
  if (in.bad()) throw std::runtime_error("cannot read " + path.string() + " to its end");
  return sha.hex();
}

}  // namespace ranktide
