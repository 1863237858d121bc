#pragma once
// What a trial costs before it is run: parameters, FLOPs, peak memory. Formulas only; what was measured
// corrects them elsewhere. Letters: d hidden, f ffn, L layers, s visible context, N weights, b bytes per
// element of a product.

#include <cstdint>

#include "common/model/shape.h"
#include "common/vocabulary/trial.h"

namespace ranktide {

struct Parameters {
  int64_t linear = 0;  // N_lin: weights of the linears in the decoder layers
  int64_t head = 0;    // N_h: vocabulary x hidden
  int64_t total = 0;   // every stored weight; a tied head counts once
};

Parameters parameters_of(const ModelShape& shape);

// Returns: weights that the trial trains: those of the adapter, or all.
int64_t trained_parameters(const TrialSettings& settings, const ModelShape& shape);

// Returns: fp32 values that the optimizer remembers of each trained weight.
int moments_of(Optimizer optimizer);

struct StepLoad {
  int64_t tokens = 0;           // T: tokens of one micro-batch
  int64_t sequence = 0;         // S: tokens of the longest segment
  double labelled_share = 1.0;  // of the tokens: only they cost the head
};

// How the engine cuts its work, for the engine and for those who predict it.
inline constexpr int64_t kLossRows = 256;      // rows of a chunk of the loss
inline constexpr int64_t kAttentionRows = 64;  // queries of a segment that share a product
// Tokens of an eval's forward pass: enough to fill the matrix kernels, few enough to hear a stop within
// seconds.
inline constexpr int64_t kEvalTokensPerForward = 1024;

// Returns: bytes kept per token of a micro-batch between its forward and its backward pass, over all layers.
// microbatch_rows cuts batches by it: a change may change bits, and then raises kNumericsVersion (lm/engine.h).
double kept_bytes_per_token(const TrialSettings& settings, const ModelShape& shape);

// Returns: FLOPs per token, forward and backward, multiply and add counted apart.
double flops_per_token(const TrialSettings& settings, const ModelShape& shape, const StepLoad& load);

// How a device multiplies bf16: with factors as they are, what is fp32 is rounded first; or widened, then
// weights and kept activations are turned into fp32 each time that they are a factor.
enum class Bf16 { as_it_is, widened };

// Summation order, and so the last bits of a result, may differ between device classes; so does what a pass
// holds for the moment.
enum class DeviceClass { cpu, gpu };

// Returns: predicted peak bytes of a trainer with this trial: runtime, base, masters, gradients, moments, and
// what a pass holds (pass_bytes.h, which says what the defaults are).
int64_t predicted_peak_bytes(const TrialSettings& settings, const ModelShape& shape, const StepLoad& load,
                             Bf16 bf16 = Bf16::widened, DeviceClass device = DeviceClass::cpu);

}  // namespace ranktide
