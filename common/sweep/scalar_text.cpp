#include "common/sweep/scalar_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <string>

#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Takes digits with single underscores between them off the front of `text`, and adds them to `out`.
bool take_digits(std::string_view& text, std::string& out) {
  if (text.empty() || !is_digit(text[0])) return false;
  while (!text.empty() && (is_digit(text[0]) || (text[0] == '_' && text.size() > 1 && is_digit(text[1])))) {
    if (text[0] != '_') out.push_back(text[0]);
    text.remove_prefix(1);
  }
  return true;
}

bool take(std::string_view& text, char c, std::string& out) {
  if (text.empty() || text[0] != c) return false;
  out.push_back(c);
  text.remove_prefix(1);
  return true;
}

// Returns: the number at the front of `text` without underscores, the rest left in `text`; nullopt when there
// is none or when its leading zero makes it ambiguous (010 is 8 to some readers).
std::optional<std::string> take_number(std::string_view& text) {
  std::string out;
  take(text, '-', out);
  const size_t first = out.size();
  const bool whole = take_digits(text, out);
  if (whole && out[first] == '0' && out.size() > first + 1) return std::nullopt;
  const bool point = take(text, '.', out);
  const bool fraction = point && take_digits(text, out);
  if (!whole && !fraction) return std::nullopt;
  if (text.size() > 1 && (text[0] == 'e' || text[0] == 'E')) {
    out.push_back('e');
    text.remove_prefix(1);
    if (!take(text, '-', out)) take(text, '+', out);
    if (!take_digits(text, out)) return std::nullopt;
  }
  return out;
}

std::optional<double> finite(const std::string& digits) {
  double value = 0;
  const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return end.ec == std::errc() && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

// All that a double holds exactly.
constexpr std::array<double, 23> kPowersOfTen{1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                              1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                              1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

double times_power_of_ten(double value, int power) {
  const double ten = kPowersOfTen[static_cast<size_t>(std::abs(power))];
  return power >= 0 ? value * ten : value / ten;
}

// Returns: what rounded() has by way of a text, in a tenth of the time; nullopt where that is not certain. The
// digits are those of the nearest whole number, which a last bit of the scaled value moves only near a tie; a
// whole number and a power of ten that are both exact give the double nearest to what the text says.
std::optional<double> rounded_by_scaling(double value, int digits) {
  constexpr double kNearTie = 1e-5;  // far more than the scaled value may be off
  const double size = std::abs(value);
  if (!(size > 1e-15 && size < 1e15) || digits < 1 || digits > 8) return std::nullopt;
  const int power = digits - 1 - static_cast<int>(std::floor(std::log10(size)));
  const double scaled = times_power_of_ten(size, power), most = times_power_of_ten(1, digits);
  if (scaled < most / 10 || scaled >= most) return std::nullopt;  // the logarithm's own last bit
  const double below = std::floor(scaled), rest = scaled - below;
  if (std::abs(rest - 0.5) < kNearTie) return std::nullopt;
  return std::copysign(times_power_of_ten(rest < 0.5 ? below : below + 1, -power), value);
}

}  // namespace

std::optional<double> read_number(std::string_view text) {
  const auto digits = take_number(text);
  return digits && text.empty() ? finite(*digits) : std::nullopt;
}

std::optional<int64_t> read_count(std::string_view text) {
  double scale = 1;
  if (!text.empty()) {
    const char suffix = text.back();
    scale = suffix == 'k' ? 1e3 : suffix == 'M' ? 1e6 : suffix == 'B' ? 1e9 : 1;
  }
  if (scale == 1 && text.find_first_of(".eE") != std::string_view::npos) return std::nullopt;
  if (scale != 1) text.remove_suffix(1);
  const auto value = read_number(text);
  constexpr double kExactMax = 9007199254740992;  // 2^53
  if (!value || std::abs(*value * scale) > kExactMax || std::floor(*value * scale) != *value * scale)
    return std::nullopt;
  return static_cast<int64_t>(*value * scale);
}

std::optional<double> read_share(std::string_view text) {
  if (text.empty() || text.back() != '%') return read_number(text);
  text.remove_suffix(1);
  const auto percent = read_number(text);
  return percent ? std::optional(*percent / 100) : std::nullopt;
}

std::optional<int64_t> read_duration_ms(std::string_view text) {
  if (text.size() < 2) return std::nullopt;
  const char unit = text.back();
  const double unit_ms = unit == 's' ? 1e3 : unit == 'm' ? 6e4 : unit == 'h' ? 3.6e6 : unit == 'd' ? 8.64e7 : 0;
  text.remove_suffix(1);
  const auto value = read_number(text);
  if (!value || unit_ms == 0 || *value < 0 || *value * unit_ms > 1e15) return std::nullopt;
  return std::llround(*value * unit_ms);
}

std::optional<int64_t> read_size_bytes(std::string_view text) {
  constexpr std::string_view kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  double unit_bytes = 1;
  for (const std::string_view unit : kUnits) {
    unit_bytes *= 1024;
    if (!text.ends_with(unit)) continue;
    text.remove_suffix(unit.size());
    const auto value = read_number(text);
    if (!value || *value < 0 || *value * unit_bytes > 9e15) return std::nullopt;
    return std::llround(*value * unit_bytes);
  }
  return std::nullopt;
}

double rounded(double value, int digits) {
  if (const auto scaled = rounded_by_scaling(value, digits)) return *scaled;
  char buffer[64];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific, digits - 1);
  RT_CHECK(end.ec == std::errc());
  double out = 0;
  std::from_chars(buffer, end.ptr, out);
  return out;
}

double settled(double value) {
  return std::floor(value) == value ? value : rounded(value);
}

std::string settled_number(double value) {
  constexpr double kExactMax = 9007199254740992;  // 2^53
  const double number = settled(value);
  const bool has_all_digits = std::floor(number) == number && std::abs(number) <= kExactMax;
  return has_all_digits ? std::to_string(static_cast<int64_t>(number)) : short_number(number);
}

std::string short_number(double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value);
  RT_CHECK(end.ec == std::errc());
  return {buffer, end.ptr};
}

}  // namespace ranktide
