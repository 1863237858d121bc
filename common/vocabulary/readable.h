#pragma once
// Times, sizes and counts as every command prints them for people. Not for programs, which get whole numbers.
// Pure functions over std alone.

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>

namespace ranktide {

// Returns: "1 trial", "2 trials".
inline std::string counted(int64_t n, const std::string& noun) {
  return std::to_string(n) + " " + noun + (n == 1 ? "" : "s");
}

// Returns: 0:42, 12:05, 9 h 20 min, from two days on 4.5 days.
inline std::string duration_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::lround(seconds));
  const auto minutes = static_cast<int64_t>(std::lround(seconds / 60));
  char text[64];
  if (whole < 3'600)
    std::snprintf(text, sizeof text, "%lld:%02d", static_cast<long long>(whole / 60),
                  static_cast<int>(whole % 60));
  else if (minutes < 48 * 60)
    std::snprintf(text, sizeof text, "%lld h %02d min", static_cast<long long>(minutes / 60),
                  static_cast<int>(minutes % 60));
  else
    std::snprintf(text, sizeof text, "%.1f days", seconds / 86'400);
  return text;
}

// Returns: 1.2 TiB, 1.9 GiB, 300 MiB; below that KiB, rounded up.
inline std::string bytes_text(double bytes) {
  constexpr double kKiB = 1024;
  char text[64];
  if (bytes >= kKiB * kKiB * kKiB * kKiB)
    std::snprintf(text, sizeof text, "%.1f TiB", bytes / (kKiB * kKiB * kKiB * kKiB));
  else if (bytes >= kKiB * kKiB * kKiB)
    std::snprintf(text, sizeof text, "%.1f GiB", bytes / (kKiB * kKiB * kKiB));
  else if (bytes >= kKiB * kKiB)
    std::snprintf(text, sizeof text, "%.0f MiB", bytes / (kKiB * kKiB));
  else
    std::snprintf(text, sizeof text, "%.0f KiB", std::ceil(bytes / kKiB));
  return text;
}

}  // namespace ranktide
