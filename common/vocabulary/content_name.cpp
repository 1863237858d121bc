#include "common/vocabulary/content_name.h"

#include <algorithm>

namespace ranktide {
namespace {

constexpr size_t kHashDigits = 64;
constexpr size_t kEndingBytesMax = 8;

bool is_ending(std::string_view text) {
  return text.size() > 1 && text.size() <= kEndingBytesMax && text.front() == '.' &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz", 1) == std::string_view::npos;
}

}  // namespace

std::optional<ContentName> content_name_of(std::string_view text) {
  if (!is_content_text(text)) return std::nullopt;
  text.remove_prefix(kContentPrefix.size());
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  const std::string_view digits = text.substr(0, kHashDigits);
  const std::string_view ending = text.substr(digits.size());
  const bool is_hash =
      digits.size() == kHashDigits && digits.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  if (!is_hash || !(ending.empty() || is_ending(ending))) return std::nullopt;
  return ContentName{.sha256 = std::string(digits), .ending = std::string(ending)};
}

std::string to_text(const ContentName& name) {
  return std::string(kContentPrefix) + name.sha256 + name.ending;
}

}  // namespace ranktide
