#pragma once
// What is wrong with a sweep file, an override or a decoded spec: what, where, and what to do about it.
// Not for bugs (RT_CHECK) and not for files that cannot be read (std::runtime_error from the reader).

#include <stdexcept>
#include <string>
#include <vector>

namespace ranktide {

// A place in a text. Lines and columns count from 1; line 0 means "no place in a file".
struct Place {
  int line = 0;
  int column = 0;
  friend bool operator==(const Place&, const Place&) = default;
};

// what() is the whole message, `file:line:column: what; remedy`; without a place it starts with the key's path.
// Of several errors it has a line for each.
struct SpecError : std::runtime_error {
  explicit SpecError(const std::string& message) : std::runtime_error(message) {}
  SpecError(const std::string& file, Place at, const std::string& message)
      : std::runtime_error(file + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) + ": " +
                           message),
        place(at) {}

  Place place;
  std::string excerpt;  // the source line with carets below, for a terminal; empty without a place
  // Where one reading found several errors (spec_errors.h): each by itself, in file order. Empty: this is one.
  std::vector<SpecError> each;
};

}  // namespace ranktide
