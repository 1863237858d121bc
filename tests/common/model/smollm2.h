#pragma once
// The shape of SmolLM2-135M, the base model that figures of the cost model were measured with.

#include "common/model/shape.h"

namespace ranktide {

inline const ModelShape kSmolLm2{.family = "llama",
                                 .vocabulary = 49152,
                                 .hidden = 576,
                                 .ffn = 1536,
                                 .layers = 30,
                                 .heads = 9,
                                 .kv_heads = 3,
                                 .head_dim = 64,
                                 .context = 8192,
                                 .tied_head = true};

}  // namespace ranktide
