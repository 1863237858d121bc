#include "cli/named_source.h"

#include <filesystem>

#include "common/sweep/warm_start.h"
#include "common/vocabulary/check.h"
#include "coordinator/edge/query_source.h"
#include "coordinator/edge/store.h"

namespace ranktide::cli {

SourceInput source_named(const std::string& from, const ContentSources& sources) {
  const auto name = source_name_of(from);
  RT_CHECK(name.has_value());
  if (const auto client = sources.coordinator ? sources.coordinator() : std::nullopt) {
    const auto answer = client->get("/api/v1/source?trial=" + name->id);
    if (!answer) throw std::runtime_error("cannot be looked up: nobody answers at " + client->url());
    if (answer->status == 404)
      throw std::runtime_error("cannot be looked up: the coordinator at " + client->url() +
                               " is older than this program");
    return from_json<SourceInput>(parse_json(body_of(*answer)));
  }
  if (!std::filesystem::exists(database_file(sources.data)))
    throw std::runtime_error("cannot be looked up: there are no results in " + sources.data.string() +
                             "; --data-dir names another folder, --coordinator one that runs");
  return source_with(Reader(sources.data), name->id);
}

}  // namespace ranktide::cli
