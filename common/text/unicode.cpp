#include "common/text/unicode.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utf8proc.h>

#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

unsigned char byte_at(std::string_view text, size_t i) {
  return static_cast<unsigned char>(text[i]);
}

bool is_continuation(unsigned char b) {
  return (b & 0xC0) == 0x80;
}

// What may follow a lead byte (Unicode 15, table 3-7): the second byte's range shuts out overlong forms and
// surrogates.
struct Lead {
  size_t length;  // 0: not a lead byte
  unsigned char second_min = 0x80;
  unsigned char second_max = 0xBF;
};

Lead lead_of(unsigned char b) {
  if (b < 0x80) return {1};
  if (b < 0xC2) return {0};
  if (b < 0xE0) return {2};
  if (b == 0xE0) return {3, 0xA0, 0xBF};
  if (b == 0xED) return {3, 0x80, 0x9F};
  if (b < 0xF0) return {3};
  if (b == 0xF0) return {4, 0x90, 0xBF};
  if (b < 0xF4) return {4};
  if (b == 0xF4) return {4, 0x80, 0x8F};
  return {0};
}

struct Part {
  size_t bytes;  // of the character, or of the maximal invalid part
  bool valid;
};

Part part_at(std::string_view text, size_t at) {
  const Lead lead = lead_of(byte_at(text, at));
  if (lead.length == 0) return {1, false};
  for (size_t i = 1; i < lead.length; ++i) {
    if (at + i >= text.size()) return {i, false};
    const unsigned char b = byte_at(text, at + i);
    const bool fits = i == 1 ? b >= lead.second_min && b <= lead.second_max : is_continuation(b);
    if (!fits) return {i, false};
  }
  return {lead.length, true};
}

}  // namespace

CodePoint first_code_point(std::string_view text) {
  RT_CHECK(!text.empty());
  const unsigned char b = byte_at(text, 0);
  if (b < 0x80) return {b, 1};
  const size_t bytes = lead_of(b).length;
  RT_CHECK(bytes >= 2);
  RT_CHECK(bytes <= text.size());
  char32_t value = b & (0xFFu >> (bytes + 1));
  for (size_t i = 1; i < bytes; ++i) value = value << 6 | (byte_at(text, i) & 0x3Fu);
  return {value, bytes};
}

CodePoint last_code_point(std::string_view text) {
  RT_CHECK(!text.empty());
  size_t start = text.size() - 1;
  while (start > 0 && is_continuation(byte_at(text, start))) --start;
  return first_code_point(text.substr(start));
}

std::string valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const Part part = part_at(text, at);
    out.append(part.valid ? text.substr(at, part.bytes) : kReplacement);
    at += part.bytes;
  }
  return out;
}

std::string nfc(std::string_view text) {
  const bool ascii =
      std::all_of(text.begin(), text.end(), [](char c) { return static_cast<signed char>(c) >= 0; });
  if (ascii) return std::string(text);
  utf8proc_uint8_t* raw = nullptr;
  const auto size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                 static_cast<utf8proc_ssize_t>(text.size()), &raw,
                                 static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  RT_CHECK(size >= 0);  // fails on invalid UTF-8 and on no memory only
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(raw, &std::free);
  return {reinterpret_cast<const char*>(raw), static_cast<size_t>(size)};
}

bool is_white_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

bool is_word_character(char32_t c) {
  if (c == 0x200C || c == 0x200D) return true;
  // Other_Alphabetic outside the marks: circled and squared Latin letters.
  if ((c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F189)) return true;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      return false;
  }
}

size_t leading_white_space(std::string_view text) {
  size_t bytes = 0;
  while (bytes < text.size()) {
    const CodePoint c = first_code_point(text.substr(bytes));
    if (!is_white_space(c.value)) break;
    bytes += c.bytes;
  }
  return bytes;
}

size_t trailing_white_space(std::string_view text) {
  size_t end = text.size();
  while (end > 0) {
    const CodePoint c = last_code_point(text.substr(0, end));
    if (!is_white_space(c.value)) break;
    end -= c.bytes;
  }
  return text.size() - end;
}

}  // namespace ranktide
