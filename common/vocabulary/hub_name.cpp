#include "common/vocabulary/hub_name.h"

namespace ranktide {
namespace {

constexpr std::string_view kPartCharacters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
constexpr size_t kPartBytesMax = 96;
constexpr int kRevisionPartsMax = 8;

bool is_part(std::string_view text) {
  return !text.empty() && text.size() <= kPartBytesMax && text.front() != '.' && text.front() != '-' &&
         text.find_first_not_of(kPartCharacters) == std::string_view::npos &&
         text.find("..") == std::string_view::npos;
}

// Parts become names of folders, so that none may lead anywhere else.
bool is_path_of_parts(std::string_view text, int parts_max) {
  for (int parts = 1; parts <= parts_max; ++parts) {
    const size_t slash = text.find('/');
    if (!is_part(text.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    text.remove_prefix(slash + 1);
  }
  return false;
}

}  // namespace

std::optional<HubName> hub_name_of(std::string_view text) {
  if (!is_hub_text(text)) return std::nullopt;
  text.remove_prefix(kHubPrefix.size());
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  const size_t at = text.find('@');
  HubName name{.repository = std::string(text.substr(0, at))};
  if (at != std::string_view::npos) name.revision = text.substr(at + 1);
  if (!is_path_of_parts(name.repository, 2) || !is_path_of_parts(name.revision, kRevisionPartsMax))
    return std::nullopt;
  return name;
}

std::string to_text(const HubName& name) {
  return std::string(kHubPrefix) + name.repository + "@" + name.revision;
}

}  // namespace ranktide
