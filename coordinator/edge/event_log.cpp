#include "coordinator/edge/event_log.h"

#include "common/vocabulary/wire.h"

namespace ranktide {
namespace {

constexpr size_t kTextBytesMax = 500;

constexpr const char* kChanges = R"sql(
SELECT r.seq, r.at, r.kind, r.body,
  coalesce((SELECT t.id FROM stage s JOIN trial t ON t.stage=s.number
            WHERE s.id=json_extract(r.body, '$.lease.unit') LIMIT 1), json_extract(r.body, '$.trial.id')),
  (SELECT w.name FROM sweep w WHERE w.id=json_extract(r.body, '$.sweep'))
FROM record r WHERE r.seq>?1 ORDER BY r.seq LIMIT ?2
)sql";

constexpr const char* kSweepsOfTrial =
    "SELECT w.name FROM sweep_trial m JOIN sweep w ON w.id=m.sweep WHERE m.trial=?1 ORDER BY w.id LIMIT 20";

// Numbers, flags and short texts say what happened; lists and maps are looked up where they are kept.
void copy_plain_fields(const Json& body, Json& data) {
  for (const auto& [name, value] : body.items()) {
    if (value.is_string())
      data[name] = value.get<std::string>().substr(0, kTextBytesMax);
    else if (value.is_primitive())
      data[name] = value;
  }
}

Json data_of(const Json& body) {
  Json data = Json::object();
  copy_plain_fields(body, data);
  if (const auto lease = body.find("lease"); lease != body.end()) copy_plain_fields(*lease, data);
  if (const auto outcome = body.find("outcome"); outcome != body.end()) {
    data["outcome"] = outcome->value("kind", "");
    data["step"] = outcome->value("step", int64_t{0});
    data["message"] = outcome->value("message", "").substr(0, kTextBytesMax);
  }
  return data;
}

Json sweeps_of(const Reader& reader, const Value& trial, const Value& sweep) {
  Json out = Json::array();
  if (const auto* name = std::get_if<std::string>(&sweep)) {
    out.push_back(*name);
  } else if (std::holds_alternative<std::string>(trial)) {
    for (const auto& row : reader.select(kSweepsOfTrial, {trial}).rows)
      out.push_back(std::get<std::string>(row[0]));
  }
  return out;
}

}  // namespace

std::vector<Change> changes_after(const Reader& reader, int64_t record, int changes_max) {
  std::vector<Change> out;
  for (const auto& row : reader.select(kChanges, {record, int64_t{changes_max}}).rows) {
    const auto number = std::get<int64_t>(row[0]);
    Json data = data_of(parse_json(std::get<std::string>(row[3])));
    data["record"] = number;
    data["at"] = std::get<int64_t>(row[1]);
    if (const auto* trial = std::get_if<std::string>(&row[4])) data["trial"] = *trial;
    data["sweeps"] = sweeps_of(reader, row[4], row[5]);
    out.push_back({.record = number,
                   .text = "id: " + std::to_string(number) + "\nevent: " + std::get<std::string>(row[2]) +
                           "\ndata: " + data.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n\n"});
  }
  return out;
}

int64_t newest_record(const Reader& reader) {
  return std::get<int64_t>(reader.select("SELECT coalesce(max(seq), 0) FROM record").rows.at(0).at(0));
}

}  // namespace ranktide
