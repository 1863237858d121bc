#include "cli/results.h"

#include "cli/command.h"
#include "cli/coordinator_choice.h"
#include "cli/exit_codes.h"
#include "cli/folders.h"
#include "cli/request.h"
#include "coordinator/edge/api.h"
#include "coordinator/edge/store.h"

namespace ranktide::cli {
namespace fs = std::filesystem;

Results::Results(const GlobalOptions& globals) : named_(named_coordinator(globals)) {
  if (named_) return;
  data_folder_ = data_folder(globals.data_dir);
  if (!fs::exists(database_file(data_folder_)))
    throw CommandError(kNotFound,
                       "no results in " + data_folder_.string() +
                           "; `ranktide run FILE` makes them there, --data-dir names another folder");
}

std::optional<std::string> Results::ask(const std::string& target) const {
  if (named_) return get_body(*named_, target);
  const auto client = client_of_folder(data_folder_);
  const auto answer = client ? client->get(target) : std::nullopt;
  if (!answer) return std::nullopt;
  return body_of(*answer);
}

std::string Results::query(const QueryRequest& request, const std::string& format) const {
  if (const auto body = ask(query_target(request, format))) return *body;
  return print(ranktide::query(Reader(data_folder_), request), *frame_format(format));
}

std::vector<SweepStatus> Results::sweeps(const std::string& name) const {
  const std::string target = "/api/v1/sweeps" + (name.empty() ? "" : "?name=" + percent_encode(name));
  if (const auto body = ask(target)) return from_json<std::vector<SweepStatus>>(parse_json(*body));
  const Reader reader(data_folder_);
  if (name.empty()) return all_sweep_status(reader);
  const auto one = sweep_status(reader, name);
  if (!one) throw CommandError(kNotFound, "no sweep named \"" + name + "\"; `ranktide status` lists them");
  return {*one};
}

std::vector<std::string> Results::trials_with_prefix(const std::string& prefix) const {
  if (const auto body = ask("/api/v1/trials?prefix=" + percent_encode(prefix)))
    return from_json<std::vector<std::string>>(parse_json(*body));
  return ranktide::trials_with_prefix(Reader(data_folder_), prefix);
}

TrialHistory Results::history_of(const std::string& trial) const {
  if (const auto body = ask("/api/v1/attempts?trial=" + percent_encode(trial)))
    return from_json<TrialHistory>(parse_json(*body));
  return ranktide::history_of(Reader(data_folder_), trial);
}

LogPart Results::log_part(const Lease& lease, int64_t offset) const {
  const std::string target = "/api/v1/log?unit=" + lease.unit.text +
                             "&attempt=" + std::to_string(lease.attempt) + "&offset=" + std::to_string(offset);
  if (const auto body = ask(target)) return from_json<LogPart>(parse_json(*body));
  return read_log(logs_of(data_folder_), lease, offset);
}

}  // namespace ranktide::cli
