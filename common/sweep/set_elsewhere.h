#pragma once
// Why a required setting is missing in one cell of a block of which something sets it: the `when` that is false
// there, the label that says nothing of it. For messages alone. Pure.

#include <string>

#include "common/sweep/sweep_spec.h"

namespace ranktide {

// `set`: what one cell sets. Returns: "lora.rank is set only when batch > 4" for each required setting that the
// cell lacks and others of the block have; empty where there is none.
std::string set_elsewhere(const Block& block, const SettingValues& set);

}  // namespace ranktide
