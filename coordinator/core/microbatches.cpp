#include "coordinator/core/microbatches.h"

#include <algorithm>

#include "common/model/microbatch.h"
#include "common/vocabulary/readable.h"
#include "common/vocabulary/sha256.h"
#include "common/vocabulary/wire.h"
#include "coordinator/core/needs.h"

namespace ranktide {
namespace {

bool is_exactness_asked(const State& state, const Unit& unit) {
  return std::any_of(unit.wanted.begin(), unit.wanted.end(),
                     [&](const auto& wish) { return state.sweeps().at(wish.first).run.require_exact; });
}

// Rows that a unit is computed with where `asked` are; 0: its trainer chooses.
int computed(const Unit& unit, int asked) {
  const bool is_eval = unit.kind == WorkKind::evaluate;
  const int most = is_eval ? kEvalMicrobatch : unit.stage->settings.train.batch;
  if (asked > 0) return std::min(asked, most);
  return !is_eval && unit.memory.microbatch > 0 ? unit.memory.microbatch : most;
}

std::string size_text(int64_t bytes) {
  return bytes_text(static_cast<double>(bytes));
}

std::string rows_text(int rows) {
  return counted(rows, "row") + " at once";
}

// "placed for 3.1 GiB, with 4 rows at once, on a slot of 3.2 GiB"; what is not known is left out.
std::string placing_text(const State& state, const Unit& unit) {
  const Slot* slot = slot_of_attempt(state, unit);
  const int64_t bytes = predicted_bytes(unit.kind, memory_in_force(state, unit), slot ? *slot : Slot{});
  std::string out = "placed";
  if (bytes > 0) out += " for " + size_text(bytes);
  if (unit.kind == WorkKind::train) out += ", with " + rows_text(microbatch_of_attempt(unit));
  if (slot && slot->memory_bytes > 0) out += ", on a slot of " + size_text(slot->memory_bytes);
  return out;
}

std::string next_text(const State& state, const Unit& unit, const AttemptFailed& failed) {
  if (failed.microbatch_next > 0 && unit.kind == WorkKind::train)
    return "it goes on with " + rows_text(failed.microbatch_next);
  if (failed.microbatch_next > 0) return "it begins again in smaller passes";
  const std::string larger =
      "run.needs.memory asks for larger slots, which a CPU worker with fewer --slots has";
  if (is_exactness_asked(state, unit)) return "run.require_exact allows no fewer rows; " + larger;
  return "nothing smaller can be tried; " + larger;
}

}  // namespace

std::optional<int> microbatch_by_hand(const State& state, const Unit& unit) {
  std::optional<int> rows;
  for (const auto& [number, place] : unit.wanted) {
    const auto& wish = state.sweeps().at(number).run.microbatch;
    if (!wish) return std::nullopt;
    if (!rows) rows = wish;
  }
  return rows;
}

const PredictedMemory& memory_in_force(const State& state, const Unit& unit) {
  if (!microbatch_by_hand(state, unit)) return unit.memory;
  const auto oldest = unit.memory_by_hand.find(unit.wanted.begin()->first);
  return oldest == unit.memory_by_hand.end() ? unit.memory : oldest->second;
}

int microbatch_to_grant(const State& state, const Unit& unit, const Slot& slot) {
  // Evals have no batch, and their results are shared with sweeps that set no micro-batch.
  const bool is_training = unit.kind == WorkKind::train;
  const int by_hand = is_training ? microbatch_by_hand(state, unit).value_or(0) : 0;
  if (is_training && is_exactness_asked(state, unit)) return by_hand;  // whatever others let it begin with
  const int asked = unit.microbatch > 0 ? unit.microbatch : by_hand;
  const bool is_known = asked > 0 || unit.memory.microbatch > 0;  // else its trainer may choose fewer
  if (!is_training || !is_known) return asked;
  const auto most = state.most_rows(unit, slot);
  return most && *most < computed(unit, asked) ? *most : asked;
}

int microbatch_of_attempt(const Unit& unit) {
  return computed(unit, unit.attempt.microbatch);
}

const Slot* slot_of_attempt(const State& state, const Unit& unit) {
  const Worker* worker = state.find_worker(unit.attempt.worker);
  if (!worker || unit.attempt.slots.empty()) return nullptr;
  const auto found = std::find_if(worker->slots.begin(), worker->slots.end(),
                                  [&](const Slot& slot) { return slot.index == unit.attempt.slots.front(); });
  return found == worker->slots.end() ? nullptr : &*found;
}

std::string memory_kind(const Stage& stage) {
  TrialSettings settings = stage.settings;
  settings.model = {
      .path = stage.base.text, .tokenizer = stage.tokenizer_sha256, .dtype = settings.model.dtype};
  settings.train = {.optimizer = settings.train.optimizer,
                    .attention_dropout = settings.train.attention_dropout};
  if (settings.lora) settings.lora->alpha = 0;
  settings.data.train = {{.path = stage.data_sha256}};
  settings.budget = {};
  settings.seed = 0;
  return sha256_hex(to_json(settings).dump());
}

std::string out_of_memory_text(const State& state, const Unit& unit, const AttemptFailed& failed) {
  const std::string& said = failed.outcome.message;
  return said + (said.empty() ? "" : "; ") + placing_text(state, unit) + "; " + next_text(state, unit, failed);
}

}  // namespace ranktide
