#pragma once
// Seconds of a training step and of an eval's forward pass, before either is run: what step_work.h counts, over
// what was measured of the device (product_table.h). The two bounds of the roofline model (Williams et al.
// 2009), arithmetic and memory, but added up: a thread does one after the other. What a call costs by itself is
// left out, so models of a few thousand weights take longer than predicted. Pure.

#include "common/model/cost.h"
#include "common/model/product_table.h"

namespace ranktide {

struct StepSeconds {
  double products = 0;     // FLOPs over the measured rates of their (m, n, k)
  double elementwise = 0;  // bytes of norms, SwiGLU, softmax, loss ... over the measured bandwidth
  double optimizer = 0;    // bytes of the step's end over the same
  double sum() const { return products + elementwise + optimizer; }
};

// Of one optimizer step over `microbatches` micro-batches of `load` each; a share of one counts as such.
StepSeconds training_step_seconds(const ProductSpeeds& speeds, const TrialSettings& settings,
                                  const ModelShape& shape, const StepLoad& load, double microbatches);

// Of one forward pass over `load`; optimizer is 0.
StepSeconds eval_seconds(const ProductSpeeds& speeds, const TrialSettings& settings, const ModelShape& shape,
                         const StepLoad& load);

}  // namespace ranktide
