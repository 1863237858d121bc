#pragma once
// Files by content, brought to <cache>/content of the data folder under their hash. Looked for, in this order:
// there; among the files that were hashed on this machine before, whatever they are called; among the files
// that the data folder's own coordinator keeps; and last they are fetched from the coordinator that the command
// is for. What is found is checked by hash. Not what they are for (named_content.h, model_elsewhere.h). One
// thread.
//
// Policy at kContentBytesMax, of what lies there in all: nothing more is fetched.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "cli/http_client.h"
#include "common/content/hash_cache.h"
#include "common/vocabulary/content_name.h"

namespace ranktide::cli {

inline constexpr int64_t kContentBytesMax = int64_t{20} << 30;

struct ContentSources {
  std::filesystem::path data;                              // the data folder
  std::function<std::optional<HttpClient>()> coordinator;  // asked when nothing nearer has it; empty: none is
  std::function<void(const std::string& line)> say;        // before what may take long
};

class ContentFinder {
 public:
  // Outlives: `sources` must.
  explicit ContentFinder(const ContentSources& sources);

  // Returns: a file with this content, called by its hash; the name's ending is not looked at.
  // Throws: std::runtime_error with where it was looked for and what to do.
  std::filesystem::path find(const ContentName& name);
  // Calls the content `target` too, in place of whatever is called so; that takes no room. Throws: as find().
  void link(const ContentName& name, const std::filesystem::path& target);

 private:
  bool holds(const std::filesystem::path& file, const std::string& sha256);
  void bring(const ContentName& name, const std::filesystem::path& target);
  void fetch(const ContentName& name, const std::filesystem::path& target);
  void fetch_from(const HttpClient& client, const ContentName& name, int64_t total,
                  const std::filesystem::path& target);

  const ContentSources& sources_;
  std::filesystem::path folder_;
  HashCache hashes_;
};

}  // namespace ranktide::cli
