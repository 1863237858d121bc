#pragma once
// Scalars as people write them in sweep files and on the command line: 1e-4, 5_000, 2k, 10%, 5m.
// Each function returns nullopt for anything else; none guesses. Refused on purpose: 010, .nan, 1e999, 16.0 as
// a count.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ranktide {

// 1e-4, 0.5, -3, 5_000
std::optional<double> read_number(std::string_view text);

// 12, 5_000, 2k, 1M, 1.5B (a suffix must give a whole number)
std::optional<int64_t> read_count(std::string_view text);

// 10%, 0.1; not bounded here
std::optional<double> read_share(std::string_view text);

// 90s, 5m, 2h, 1d -> milliseconds
std::optional<int64_t> read_duration_ms(std::string_view text);

// 512MiB, 6GiB, 1.5TiB -> bytes
std::optional<int64_t> read_size_bytes(std::string_view text);

// Returns: the value to `digits` significant decimal digits: computed values must not differ by a library's
// last bit.
double rounded(double value, int digits = 6);

// Returns: a computed number as somebody would have meant it: a whole one as it is, another rounded().
double settled(double value);

// Returns: the text of settled(value) that a file takes: whole numbers have all their digits, so that a count
// reads them (300000, and not 3e+05).
std::string settled_number(double value);

// Returns: the shortest text that reads back as the same number: 0.0001, 5e-05, 16.
std::string short_number(double value);

}  // namespace ranktide
