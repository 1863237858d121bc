#include "common/model/pass_bytes.h"

#include <algorithm>

#include "common/model/layer_plan.h"

namespace ranktide {
namespace {

double as_double(int64_t n) {
  return static_cast<double>(n);
}

// The scratch arena at its fullest, in bytes. Frames stand as the engine opens them, in the file that is named;
// a forward pass takes less than its backward pass. A block is taken to be reached: all but the lowest are.
class Scratch {
 public:
  Scratch(const TrialSettings& settings, const ModelShape& shape, const StepLoad& load, Bf16 bf16,
          DeviceClass device)
      : layer_(layer_plan_of(settings, shape)),
        tokens_(as_double(load.tokens)),
        labels_(as_double(load.tokens) * load.labelled_share),
        segment_(std::clamp(as_double(load.sequence), 1.0, std::max(1.0, tokens_))),
        d_(as_double(shape.hidden)),
        f_(as_double(shape.ffn)),
        d_a_(as_double(shape.heads * shape.head_dim)),
        d_k_(as_double(shape.kv_heads * shape.head_dim)),
        heads_(as_double(shape.heads)),
        vocabulary_(as_double(shape.vocabulary)),
        is_bf16_(settings.model.dtype == Dtype::bf16),
        rounds_(is_bf16_ && bf16 == Bf16::as_it_is),
        widens_(is_bf16_ && bf16 == Bf16::widened),
        is_full_(settings.method == Method::full),
        drops_adapters_(settings.lora && settings.lora->dropout > 0),
        drops_attention_(settings.train.attention_dropout > 0),
        norms_heads_(shape.qk_norm),
        is_by_rows_(device == DeviceClass::cpu) {}

  // transformer.cpp: beside everything stands dh, the gradient of the stream.
  double most() const { return in_fp32(d_) + std::max({loss(), attention_block(), feed_forward_block()}); }

 private:
  enum class Input { none, computed, kept };  // x of linears: not needed; again, in fp32; of the forward pass

  double in_fp32(double width) const { return 4 * tokens_ * width; }
  double in_bf16(double width) const { return 2 * tokens_ * width; }

  // transformer.cpp, head_gradients: the labelled rows of the stream, normed, and their gradient. loss.cpp: the
  // head and the rows as factors; logits of a chunk and, rounded, their gradient; then the largest product that
  // is not made in place: the head's gradient, or the rows'.
  double loss() const {
    const double chunk = std::min(as_double(kLossRows), labels_);
    const double head = widens_ ? 4 * vocabulary_ * d_ : 0;
    const double product = rounds_ ? 2 * d_ * (is_full_ ? vocabulary_ : chunk) : 0;
    return head + labels_ * d_ * (rounds_ ? 14 : 12) + chunk * vocabulary_ * (rounds_ ? 6 : 4) + product;
  }

  // layer_feed_forward.cpp: y where down trains, and dy, into which the gradients of gate and up go.
  double feed_forward_block() const {
    const bool has_y = trains(layer_.down);
    const double at_down =
        in_fp32(has_y ? 2 * f_ : f_) + linears_backward(layer_.down, has_y ? Input::computed : Input::none);
    return std::max(at_down, in_fp32(2 * f_) + entry(layer_.gate_up));
  }

  // layer_attention.cpp: y where o trains, and dy, which becomes dq; dq turned, dk and dv by head; then dk
  // turned, dk and dv by token.
  double attention_block() const {
    const Input y = trains(layer_.o) ? Input::kept : Input::none;
    const double at_o = in_fp32(d_a_) + linears_backward(layer_.o, y);
    const double by_head = in_fp32(2 * d_a_ + 2 * d_k_), by_token = by_head + in_fp32(3 * d_k_);
    return std::max({at_o, by_head + scores(), by_token + head_norms(), by_token + entry(layer_.qkv)});
  }

  // attention.cpp: q, k and v in fp32; p, ds and the products for dk and dv of one block of queries, its dO and
  // dQ; with dropout also its mask and what that leaves of p.
  double scores() const {
    const double rows = std::min(as_double(kAttentionRows), segment_);
    const double widened = is_bf16_ ? in_fp32(d_a_ + 2 * d_k_) : 0;
    const double squares = in_fp32(heads_ * rows) * (drops_attention_ ? 4 : 2);
    return widened + squares + in_fp32(2 * d_k_) + in_fp32(2 * d_a_) * rows / segment_;
  }

  // layer_attention.cpp, heads_backward: of q, the widest. Then ops.cpp: q in fp32.
  double head_norms() const {
    if (!norms_heads_) return 0;
    return in_fp32(d_a_) + (is_bf16_ ? in_fp32(d_a_) : 0) + norm(d_a_);
  }

  // block_entry.cpp: x where something reads it again, and dx; the linears, then the norm.
  double entry(LinearGroup group) const {
    const bool has_x = trains(group);
    const double linears = linears_backward(group, has_x ? Input::computed : Input::none);
    return in_fp32(has_x ? 2 * d_ : d_) + std::max(linears, norm(d_));
  }

  // ops.cpp, rms_norm_backward: x^ and a product where the norm trains; a device has these always, and w dy.
  double norm(double width) const {
    if (!is_by_rows_) return in_fp32(3 * width);
    return is_full_ ? in_fp32(2 * width) : 0;
  }

  // linear.cpp, linears_backward, beside dy and dx: x as a factor and the rank-r gradients stand throughout.
  double linears_backward(LinearGroup group, Input x) const {
    double most = adapters_backward(group);
    for (const LinearPlan& linear : group) most = std::max(most, linear_backward(linear));
    const double rank = as_double(rank_of(group));
    return input_factor(x, as_double(group.front().in)) + (rounds_ ? in_bf16(rank) : in_fp32(rank)) + most;
  }

  double input_factor(Input x, double width) const {
    if (x == Input::computed) return rounds_ ? in_bf16(width) : 0;
    return x == Input::kept && widens_ ? in_fp32(width) : 0;
  }

  // Its dy as a factor. product.cpp: beside it a weight, or x~ A', that is widened; or rounded, what is added
  // to dx or to a gradient.
  double linear_backward(const LinearPlan& linear) const {
    const double in = as_double(linear.in), out = as_double(linear.out);
    if (widens_) return std::max(4 * in * out, in_fp32(as_double(linear.rank)));
    if (!rounds_) return 0;
    return in_bf16(out) + std::max(in_bf16(in), is_full_ ? 2 * in * out : 0);
  }

  // With dropout one by one: a mask, and x~ or what comes back, with the mask in fp32 where that is another.
  // Without: the A's below each other where there are several, then dA, or dx rounded.
  double adapters_backward(LinearGroup group) const {
    const double in = as_double(group.front().in), weights = as_double(rank_of(group)) * in;
    if (weights == 0) return 0;
    if (drops_adapters_) return rounds_ ? in_bf16(5 * in) : in_fp32(2 * in);
    const auto adapters = std::count_if(group.begin(), group.end(), [](const auto& l) { return l.rank > 0; });
    const double stacked = adapters > 1 ? weights * (is_bf16_ ? 2 : 4) : 0;
    return stacked + std::max(weights * (rounds_ ? 6 : 4), rounds_ ? in_bf16(in) : 0);
  }

  bool trains(LinearGroup group) const { return is_full_ || rank_of(group) > 0; }

  LayerPlan layer_;
  double tokens_, labels_, segment_;
  double d_, f_, d_a_, d_k_, heads_, vocabulary_;
  bool is_bf16_, rounds_, widens_, is_full_, drops_adapters_, drops_attention_, norms_heads_, is_by_rows_;
};

}  // namespace

PassBytes pass_bytes(const TrialSettings& settings, const ModelShape& shape, const StepLoad& load, Bf16 bf16,
                     DeviceClass device) {
  const double after_the_last = 4 * as_double(shape.hidden);  // of a token, the stream
  return {.kept = (kept_bytes_per_token(settings, shape) + after_the_last) * as_double(load.tokens),
          .scratch = Scratch(settings, shape, load, bf16, device).most()};
}

}  // namespace ranktide
