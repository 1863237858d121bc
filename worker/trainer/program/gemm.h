#pragma once
// Measures how fast this machine makes the engine's matrix products (lm/product.h) and passes over memory: the
// table that times of trials are predicted from. Not a check (selfcheck.h). The engine thread.

#include <c10/core/Device.h>

#include "common/model/product_table.h"

namespace ranktide {

// Starts the engine. Measures, on the device, a grid of sizes up to 2048, beyond which rates are taken to stay
// as they are, each the median of a few rounds; the right factor comes from memory, as a weight does, the left
// one is at hand. Takes about 5 s, 10 on a slow core.
ProductTable measure_products(int threads, const at::Device& device);

}  // namespace ranktide
