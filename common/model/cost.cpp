#include "common/model/cost.h"

#include <algorithm>

#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

constexpr double kRuntimeBytes = 0.35e9;  // LibTorch and its libraries in memory, before a model is loaded
constexpr int64_t kLossRows = 256;        // rows of a chunk of the loss (worker/trainer/lm/loss.h)

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

// Kept per token and layer between forward and backward. The residual stream is fp32 in either dtype: the
// inputs of the two norms (2 x 4d). In b bytes: the norms' outputs, q and the attention's output (4d), k and v
// (2 d_k), gate, up and their product (3f). Adapters add their rank-r products.
double activation_bytes_per_token(const TrialSettings& settings, const ModelShape& s) {
  const double b = product_bytes(settings);
  const auto d = static_cast<double>(s.hidden), f = static_cast<double>(s.ffn);
  const auto d_a = static_cast<double>(s.heads * s.head_dim),
             d_k = static_cast<double>(s.kv_heads * s.head_dim);
  double per_layer = 8 * d + b * (2 * d + 2 * d_a + 2 * d_k + 3 * f);
  if (settings.lora)
    per_layer +=
        b * static_cast<double>(settings.lora->rank) * static_cast<double>(settings.lora->target.size());
  return per_layer * static_cast<double>(s.layers);
}

// The loss holds one chunk of logits in fp32 and in the product's dtype, and the gradient of the hidden rows.
double loss_bytes(const TrialSettings& settings, const ModelShape& s, const StepLoad& load) {
  const double labelled = static_cast<double>(load.tokens) * load.labelled_share;
  const double rows = std::min(static_cast<double>(kLossRows), labelled);
  return rows * static_cast<double>(s.vocabulary) * (product_bytes(settings) + 8) +
         labelled * static_cast<double>(s.hidden) * 8;
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

int64_t predicted_peak_bytes(const TrialSettings& settings, const ModelShape& shape, const StepLoad& load) {
  const auto weights = static_cast<double>(parameters_of(shape).total);
  const auto trained = static_cast<double>(trained_parameters(settings, shape));
  const double b = product_bytes(settings);
  // Trained weights: fp32 value, gradient and two moments. Full finetuning in bf16 has product copies besides.
  const double state = 16 * trained + (settings.method == Method::full && b < 4 ? b * trained : 0);
  // The head's gradient is summed in fp32 beside the flat gradient before it is added.
  const double head_grad =
      settings.method == Method::full ? 8.0 * static_cast<double>(parameters_of(shape).head) : 0;
  const double step = activation_bytes_per_token(settings, shape) * static_cast<double>(load.tokens) +
                      loss_bytes(settings, shape, load) + head_grad;
  return static_cast<int64_t>(kRuntimeBytes + b * weights + state + step);
}

}  // namespace ranktide
