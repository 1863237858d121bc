#pragma once
// A trial that was resolved elsewhere, found again in this sweep: its typed settings told as the values that
// its id was made from. The way back from resolve.h. Pure functions.

#include <optional>

#include "common/sweep/cell_print.h"
#include "common/sweep/sweep_spec.h"
#include "common/vocabulary/ids.h"
#include "common/vocabulary/trial.h"

namespace ranktide {

// Returns: complete settings (resolve.h), without the seed, that give these typed ones.
SettingValues values_of(const TrialSettings& settings);

// Returns: what its cell trains, as a grid with these inputs tells it; nullopt when the trial reads others, so
// that no such grid lists it. Certain: its id is made anew and compared.
std::optional<CellPrint> print_in(const Inputs& inputs, const TrialId& id, const TrialSettings& settings);

}  // namespace ranktide
