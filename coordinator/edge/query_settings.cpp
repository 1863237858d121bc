#include "coordinator/edge/query_settings.h"

#include <array>

namespace ranktide {
namespace {

constexpr std::array kContents{"model", "tokenizer", "data"};  // in the order in which they are selected

}  // namespace

std::optional<Json> trial_settings(const Reader& reader, const std::string& trial) {
  const Selection found = reader.select(
      "SELECT t.settings, json_extract(r.body, '$.trial.base'),"
      " json_extract(r.body, '$.trial.tokenizer_sha256'), json_extract(r.body, '$.trial.data_sha256')"
      " FROM trial t LEFT JOIN record r ON r.seq=t.listed_in WHERE t.id=?1",
      {trial});
  if (found.rows.empty()) return std::nullopt;
  const auto& row = found.rows.front();
  Json out = parse_json(std::get<std::string>(row[0]));
  for (size_t i = 0; i < kContents.size(); ++i)
    if (const auto* hash = std::get_if<std::string>(&row[i + 1])) out["content"][kContents[i]] = *hash;
  return out;
}

}  // namespace ranktide
