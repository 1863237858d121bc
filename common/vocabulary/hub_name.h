#pragma once
// The name of a model on the Hugging Face hub as sweep files write it: `hub: org/name@revision`. Only the name:
// where its files lie on a machine is hub_cache.h's (common/content), and nothing is ever downloaded. Pure; any
// thread.

#include <optional>
#include <string>
#include <string_view>

namespace ranktide {

inline constexpr std::string_view kHubPrefix = "hub:";

struct HubName {
  std::string repository;         // org/name, or a name alone
  std::string revision = "main";  // branch, tag or commit
};

// Returns: whether the text means to be such a name, sound or not.
inline bool is_hub_text(std::string_view text) {
  return text.starts_with(kHubPrefix);
}
// Returns: the name; nullopt when the text is none: letters, digits and . _ - in each part, no part that begins
// with a dot. Blanks after the prefix are ignored.
std::optional<HubName> hub_name_of(std::string_view text);
// Returns: "hub:org/name@revision", the form in settings and messages.
std::string to_text(const HubName& name);

}  // namespace ranktide
