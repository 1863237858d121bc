#pragma once
// With how many rows at once a unit is computed: as users asked, and no more than memory is known to be too
// little for. Not how many a trainer chooses by itself (common/model/microbatch.h). Pure; any thread.

#include <optional>
#include <string>

#include "coordinator/core/state.h"

namespace ranktide {

// Returns: rows set by hand (run.microbatch), those of the oldest sweep that wants the unit; nullopt while any
// of them sets none, for such rows mark a result as not exact.
std::optional<int> microbatch_by_hand(const State& state, const Unit& unit);

// Returns: what is predicted of the unit with the rows that are in force: set by hand, or the trainer's choice.
const PredictedMemory& memory_in_force(const State& state, const Unit& unit);

// Returns: rows to grant the unit with on this slot; 0: the trainer's own choice. Where that, or what a user
// set, has run out of memory for another of its kind (State::most_rows), it is what is left; the result is then
// not exact, and so none of it where anybody asks for exactness.
int microbatch_to_grant(const State& state, const Unit& unit, const Slot& slot);

// Returns: rows that the newest attempt computed at once; the whole batch where nothing is known of its
// trainer's choice.
int microbatch_of_attempt(const Unit& unit);

// Returns: the slot of the newest attempt, the first of several; nullptr when its worker has it no more.
const Slot* slot_of_attempt(const State& state, const Unit& unit);

// Returns: what kind of memory a training needs: those of one kind hold as much with as many rows at once. A
// hash of all its settings but for those that memory is known not to hang on, and of the data.
std::string memory_kind(const Stage& stage);

// Returns: the message of an attempt that ran out of memory, with what it was placed for and what comes next.
// Requires: `failed` is about to be decided of the unit's newest attempt.
std::string out_of_memory_text(const State& state, const Unit& unit, const AttemptFailed& failed);

}  // namespace ranktide
