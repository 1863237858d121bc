#include "coordinator/edge/query_source.h"

#include <optional>
#include <utility>
#include <variant>

#include "coordinator/core/records.h"
#include "coordinator/core/warm_sources.h"
#include "coordinator/edge/query.h"
#include "coordinator/edge/query_status.h"

namespace ranktide {
namespace {

constexpr size_t kShownDigits = 16;

std::string whole_id(const Reader& reader, const std::string& prefix) {
  const auto found = trials_with_prefix(reader, prefix);
  if (found.empty())
    throw QueryError(
        "no trial's id starts so; `ranktide query SWEEP --trials` lists them, and model.from starts "
        "from those of the coordinator or data folder that the sweep is for");
  if (found.size() > 1)
    throw QueryError("begins " + std::to_string(found.size()) + " trials' ids, " +
                     found[0].substr(0, kShownDigits) + " and " + found[1].substr(0, kShownDigits) +
                     " among them; give more digits");
  return found[0];
}

SweepTrial listed_trial(const Reader& reader, const std::string& id) {
  const auto rows =
      reader.select("SELECT r.kind, r.body FROM trial t JOIN record r ON r.seq=t.listed_in WHERE t.id=?1", {id})
          .rows;
  if (rows.empty()) throw StoreError("trial " + id + " is in no journal of " + reader.data_folder().string());
  auto record = from_journal(std::get<std::string>(rows[0][0]), std::get<std::string>(rows[0][1]));
  return std::get<TrialListed>(std::move(record)).trial;
}

struct Left {
  std::string state;
  Keep keep = Keep::none;
};

Left what_is_left_of(const Reader& reader, const std::string& id) {
  const auto row = reader
                       .select(
                           "SELECT g.state, coalesce(a.keep, '') FROM trial t"
                           " JOIN stage g ON g.number=t.stage"
                           " LEFT JOIN attempt a ON a.unit=g.id AND a.attempt=g.attempt WHERE t.id=?1",
                           {id})
                       .rows.at(0);
  return {.state = std::get<std::string>(row[0]),
          .keep = enum_of<Keep>(std::get<std::string>(row[1])).value_or(Keep::none)};
}

void require_weights(const Left& left, Method method) {
  if (left.state != "completed")
    throw QueryError("is " + left.state + "; a trial starts from one that has completed");
  if (!leaves_weights(left.keep, method))
    throw QueryError("was run with run.keep: " + std::string(text_of(left.keep)) +
                     ", which leaves nothing of it to start from; " +
                     (method == Method::full ? "weights or delta do" : "adapters do"));
}

}  // namespace

SourceInput source_with(const Reader& reader, const std::string& prefix) {
  const std::string id = whole_id(reader, prefix);
  const SweepTrial trial = listed_trial(reader, id);
  require_weights(what_is_left_of(reader, id), trial.settings.method);
  return {.trial = trial.id,
          .stage = trial.stage,
          .step = trial.steps,
          .base = trial.base,
          .tokenizer_sha256 = trial.tokenizer_sha256,
          .dtype = trial.settings.model.dtype,
          .method = trial.settings.method,
          .lora = trial.settings.lora,
          .weights = trial.start ? trial.start->weights : std::nullopt};
}

}  // namespace ranktide
