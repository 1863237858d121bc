#include "common/model/cost.h"

#include <algorithm>

#include "common/model/pass_bytes.h"
#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

constexpr double kRuntimeBytes = 0.19e9;  // LibTorch and its libraries in memory, before a model is loaded

constexpr std::array kLayerLinears{"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"};

int64_t adapter_weights_per_layer(const LoraSettings& lora, const ModelShape& shape) {
  int64_t n = 0;
  for (const auto& module : lora.target) {
    const auto linear = linear_shape(shape, module);
    RT_CHECK(linear.has_value());
    n += lora.rank * (linear->in + linear->out);
  }
  return n;
}

double product_bytes(const TrialSettings& settings) {
  return settings.model.dtype == Dtype::bf16 ? 2 : 4;
}

// Widths of a layer: hidden, ffn, all query heads, all key heads.
struct Widths {
  double d = 0, f = 0, d_a = 0, d_k = 0;
};

Widths widths_of(const ModelShape& s) {
  return {.d = static_cast<double>(s.hidden),
          .f = static_cast<double>(s.ffn),
          .d_a = static_cast<double>(s.heads * s.head_dim),
          .d_k = static_cast<double>(s.kv_heads * s.head_dim)};
}

}  // namespace

Parameters parameters_of(const ModelShape& s) {
  Parameters p;
  int64_t biases = 0;
  for (const char* module : kLayerLinears) {
    const LinearShape linear = *linear_shape(s, module);
    p.linear += linear.in * linear.out;
    const std::string name = module;
    const bool qkv = name == "q_proj" || name == "k_proj" || name == "v_proj";
    if (qkv ? s.qkv_bias : name == "o_proj" ? s.o_bias : s.mlp_bias) biases += linear.out;
  }
  const int64_t norms = 2 * s.hidden + (s.qk_norm ? 2 * s.head_dim : 0);
  p.linear *= s.layers;
  p.head = s.vocabulary * s.hidden;
  p.total = p.linear + s.layers * (biases + norms) + s.hidden + p.head * (s.tied_head ? 1 : 2);
  return p;
}

int64_t trained_parameters(const TrialSettings& settings, const ModelShape& shape) {
  if (settings.method == Method::full) return parameters_of(shape).total;
  RT_CHECK(settings.lora.has_value());
  return shape.layers * adapter_weights_per_layer(*settings.lora, shape);
}

int moments_of(Optimizer optimizer) {
  switch (optimizer) {
    case Optimizer::adamw:
      return 2;
    case Optimizer::lion:
      return 1;
  }
  RT_CHECK(!"an optimizer without its moments");
  return 0;
}

// Of a layer: the residual stream before its two blocks, fp32 in either dtype (2 x 4d); in b bytes q and the
// attention's output (2 d_a), k and v (2 d_k), gate and up (2f), and q and k once more where they are normed.
// Adapters add their rank-r products. Norm outputs, silu(gate) up and the attention weights are computed again.
double kept_bytes_per_token(const TrialSettings& settings, const ModelShape& s) {
  const double b = product_bytes(settings);
  const Widths w = widths_of(s);
  double per_layer = 8 * w.d + b * (2 * w.d_a + 2 * w.d_k + 2 * w.f);
  if (s.qk_norm) per_layer += b * (w.d_a + w.d_k);
  if (settings.lora)
    per_layer +=
        b * static_cast<double>(settings.lora->rank) * static_cast<double>(settings.lora->target.size());
  return per_layer * static_cast<double>(s.layers);
}

double flops_per_token(const TrialSettings& settings, const ModelShape& shape, const StepLoad& load) {
  const Parameters p = parameters_of(shape);
  const double visible =
      (static_cast<double>(load.sequence) + 1) / 2;  // causal blocks above the diagonal are skipped
  const double attention =
      12 * static_cast<double>(shape.layers) * visible * static_cast<double>(shape.heads * shape.head_dim);
  const double weights = static_cast<double>(p.linear) + load.labelled_share * static_cast<double>(p.head);
  if (settings.method == Method::full) return 6 * weights + attention;
  return 4 * weights + 6 * static_cast<double>(trained_parameters(settings, shape)) + attention;
}

int64_t predicted_peak_bytes(const TrialSettings& settings, const ModelShape& shape, const StepLoad& load,
                             Bf16 bf16, DeviceClass device) {
  const auto weights = static_cast<double>(parameters_of(shape).total);
  const auto trained = static_cast<double>(trained_parameters(settings, shape));
  const double b = product_bytes(settings);
  // Trained weights: fp32 value, gradient and moments; in bf16 a copy for products besides.
  const double state = (8 + 4 * moments_of(settings.train.optimizer) + (b < 4 ? b : 0)) * trained;
  const PassBytes pass = pass_bytes(settings, shape, load, bf16, device);
  constexpr double kMost = 0x1p62;  // more rows can be asked for than an int64 counts bytes
  return static_cast<int64_t>(std::min(kRuntimeBytes + b * weights + state + pass.kept + pass.scratch, kMost));
}

}  // namespace ranktide
