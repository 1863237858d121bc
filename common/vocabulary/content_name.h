#pragma once
// A data file named by what is in it: `sha256:` and its 64 hex digits, with an ending after them where the kind
// of the file is to be said (`sha256:….txt`); or a model or tokenizer by its identity, without an ending. Only
// the name: where such content lies is for whoever looks for it. Pure; any thread.

#include <optional>
#include <string>
#include <string_view>

namespace ranktide {

inline constexpr std::string_view kContentPrefix = "sha256:";

struct ContentName {
  std::string sha256;  // lower case
  std::string ending;  // ".txt"; empty: the content says what it is
};

// Returns: whether the text means to be such a name, sound or not.
inline bool is_content_text(std::string_view text) {
  return text.starts_with(kContentPrefix);
}
// Returns: the name; nullopt when the text is none: 64 digits 0-9 a-f, then nothing or a dot and letters.
// Blanks after the prefix are ignored.
std::optional<ContentName> content_name_of(std::string_view text);
// Returns: "sha256:HEX.ending", the form in settings and messages.
std::string to_text(const ContentName& name);

}  // namespace ranktide
