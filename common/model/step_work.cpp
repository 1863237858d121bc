#include "common/model/step_work.h"

#include <algorithm>
#include <cmath>

#include "common/model/layer_plan.h"
#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

// Element-wise work is counted in bytes read and written. An exponential costs more than its bytes: as much as
// so many; so does a random number of a dropout mask.
constexpr double kExponential = 16;
constexpr double kDraw = 16;

// Of a value that is normed: the mean of squares and the product; the product again; the way back.
constexpr double kNorm = 12, kNormAgain = 8, kNormBack = 16;

double real(int64_t n) {
  return static_cast<double>(n);
}

// Adds up the work of the layers of one pass. `times` counts layers that are alike.
class Counter {
 public:
  Counter(const TrialSettings& settings, const ModelShape& shape, const StepLoad& load, Bf16 bf16)
      : settings_(settings),
        shape_(shape),
        tokens_(load.tokens),
        segment_(std::clamp<int64_t>(load.sequence, 1, std::max<int64_t>(1, load.tokens))),
        labels_(real(load.tokens) * load.labelled_share),
        dtype_(settings.model.dtype),
        rounds_(dtype_ == Dtype::bf16 && bf16 == Bf16::as_it_is),
        widens_(dtype_ == Dtype::bf16 && bf16 == Bf16::widened),
        drops_(settings.lora && settings.lora->dropout > 0),
        is_full_(settings.method == Method::full) {}

  // y = x W' + s (x A') B'   of linears that share x
  void linears_forward(LinearGroup group, double times) {
    const int64_t in = group.front().in, rank = rank_of(group);
    add_bytes(times * real(tokens_) * real(in) * (rounds_ ? 6 : 0));
    if (rank > 0 && !drops_) add(tokens_, rank, in, times);
    for (const LinearPlan& linear : group) {
      add(tokens_, linear.out, in, times);
      add_bytes(times * widening(linear));
      if (linear.rank == 0) continue;
      if (drops_) {
        add(tokens_, linear.rank, in, times);
        add_bytes(times * real(tokens_ * in) * (16 + kDraw));
      }
      add(tokens_, linear.out, linear.rank, times);
    }
  }

  // dW += dy' x;   dx = dy W + s (dy B) A;   dB = s dy' (x A');   dA = s (dy B)' x
  void linears_backward(LinearGroup group, bool has_dx, double times) {
    const int64_t in = group.front().in, rank = rank_of(group);
    add_bytes(times * real(tokens_ * in) * (rounds_ ? 6 : 0));
    for (const LinearPlan& linear : group) {
      add_bytes(times * real(tokens_ * linear.out) * (rounds_ ? 6 : 0));
      if (is_full_) {
        add(linear.out, in, tokens_, times);
        add_bytes(times * sum_bytes(linear));
      }
      if (has_dx) {
        add(tokens_, in, linear.out, times);
        add_bytes(times * (widening(linear) + real(tokens_ * in) * (rounds_ ? 10 : 0)));
      }
      if (linear.rank == 0) continue;
      add(tokens_, linear.rank, linear.out, times);
      add(linear.out, linear.rank, tokens_, times);
      if (!drops_) continue;
      add(linear.rank, in, tokens_, times);
      if (has_dx) add(tokens_, in, linear.rank, times);
      add_bytes(times * real(tokens_ * in) * (16 + kDraw + (has_dx ? 16 : 0)));
    }
    if (rank == 0 || drops_) return;
    add(rank, in, tokens_, times);
    if (has_dx) add(tokens_, in, rank, times);
  }

  // Two of these make a forward, five a backward, which computes the weights again.
  void attention(double times, bool is_backward) {
    const double batch = real(tokens_) / real(segment_) * real(shape_.kv_heads);
    const int64_t group = shape_.heads / shape_.kv_heads, width = shape_.head_dim;
    double scores = 0, keys = 0;
    for (int64_t from = 0; from < segment_; from += kAttentionRows) {
      const int64_t to = std::min(from + kAttentionRows, segment_), rows = (to - from) * group;
      add_fp32(rows, to, width, times * batch);                       // q k'
      add_fp32(rows, width, to, times * batch);                       // p v, or ds k
      if (is_backward) add_fp32(rows, to, width, times * batch);      // do v'
      if (is_backward) add_fp32(to, width, rows, 2 * times * batch);  // p' do, ds' q
      scores += real(rows * to), keys += real(to * width);
    }
    const double softmax = 8 + kExponential;
    add_bytes(times * batch *
              (scores * (is_backward ? softmax + 12 : softmax) + (is_backward ? 24 * keys : 0)));
    if (settings_.train.attention_dropout > 0)
      add_bytes(times * batch * scores * (is_backward ? 36 + kDraw : 16 + kDraw));
  }

  void attention_block_forward(const LayerPlan& layer, double times) {
    const double d_a = real(shape_.heads * shape_.head_dim), d_k = real(shape_.kv_heads * shape_.head_dim);
    linears_forward(layer.qkv, times);
    attention(times, false);
    linears_forward(layer.o, times);
    double values = entry_bytes() + 16 * (d_a + d_k) + 8 * d_k + 8 * d_a;  // q and k turned, v, output
    if (shape_.qk_norm) values += kNorm * (d_a + d_k);
    if (dtype_ == Dtype::bf16) values += 6 * (d_a + 2 * d_k);
    if (rounds_) values += 6 * (d_a + 2 * d_k) + 10 * real(shape_.hidden);
    if (widens_) values += 6 * d_a;
    add_bytes(times * real(tokens_) * values);
  }

  void feed_forward_forward(const LayerPlan& layer, double times) {
    linears_forward(layer.gate_up, times);
    linears_forward(layer.down, times);
    double values = entry_bytes() + swiglu_bytes() * real(shape_.ffn);
    if (rounds_) values += 10 * real(shape_.hidden);
    if (widens_) values += 12 * real(shape_.ffn);
    add_bytes(times * real(tokens_) * values);
  }

  // `goes_on`: whether a gradient goes on below this layer.
  void feed_forward_backward(const LayerPlan& layer, bool goes_on, bool attention_trains, double times) {
    const bool is_entered = is_full_ || rank_of(layer.gate_up) > 0;
    const bool is_reached = goes_on || attention_trains || is_entered;
    const bool has_input = is_full_ || rank_of(layer.down) > 0;
    linears_backward(layer.down, is_reached, times);
    if (has_input) add_bytes(times * real(tokens_) * swiglu_bytes() * real(shape_.ffn));
    if (!is_reached) return;
    add_bytes(times * real(tokens_) * real(shape_.ffn) * (2 * gate_bytes() + 12 + kExponential));
    entry_backward(layer.gate_up, goes_on || attention_trains, times);
  }

  void attention_block_backward(const LayerPlan& layer, bool goes_on, double times) {
    const double d_a = real(shape_.heads * shape_.head_dim), d_k = real(shape_.kv_heads * shape_.head_dim);
    const bool is_reached = goes_on || is_full_ || rank_of(layer.qkv) > 0;
    linears_backward(layer.o, is_reached, times);
    if (!is_reached) return;
    attention(times, true);
    double values = 16 * d_a + 24 * d_k + 8 * (d_a + d_k);  // gradients by head and back, turned
    if (shape_.qk_norm) values += (kNormBack + 4) * (d_a + d_k);
    if (dtype_ == Dtype::bf16) values += 6 * (d_a + 2 * d_k);
    add_bytes(times * real(tokens_) * values);
    entry_backward(layer.qkv, goes_on, times);
  }

  bool attention_trains(const LayerPlan& layer) const {
    return is_full_ || rank_of(layer.qkv) + rank_of(layer.o) > 0;
  }

  void embedding() { add_bytes(real(tokens_) * real(shape_.hidden) * (is_full_ ? 32 : 12)); }

  void head(bool is_backward) {
    const int64_t d = shape_.hidden, v = shape_.vocabulary;
    const auto rows = std::min<int64_t>(kLossRows, std::max<int64_t>(1, std::llround(labels_)));
    const double chunks = labels_ / real(rows);
    add(rows, v, d, chunks);
    if (is_backward) add(rows, d, v, chunks);
    if (is_backward && is_full_) add(v, d, rows, chunks);
    // Logits: highest, less it, exponential, sum, a pass each; in training one pass makes of them their
    // gradient.
    add_bytes(labels_ * real(v) * ((is_backward ? 8 : 24) + kExponential + (rounds_ ? 6 : 0)));
    add_bytes(labels_ * real(d) * (8 + kNorm + (is_backward ? kNormBack + 16 : 0)) +
              (widens_ ? 6 * real(v * d) : 0));
    if (is_backward && is_full_ && rounds_) add_bytes(chunks * 10 * real(v * d));
  }

  PassWork take() { return std::move(work_); }

 private:
  void add(int64_t m, int64_t n, int64_t k, double count) {
    work_.products.push_back({.dtype = dtype_, .m = m, .n = n, .k = k, .count = count});
  }
  // Scores and their sums are fp32 in either dtype.
  void add_fp32(int64_t m, int64_t n, int64_t k, double count) {
    work_.products.push_back({.dtype = Dtype::fp32, .m = m, .n = n, .k = k, .count = count});
  }
  void add_bytes(double bytes) { work_.bytes += bytes; }
  double widening(const LinearPlan& linear) const { return widens_ ? 6 * real(linear.in * linear.out) : 0; }
  // What adding to an fp32 gradient costs beside the product.
  double sum_bytes(const LinearPlan& linear) const { return (rounds_ ? 10 : 4) * real(linear.in * linear.out); }
  // A block's norm, and the sum of the stream and what the block makes.
  double entry_bytes() const { return (kNorm + 12) * real(shape_.hidden); }
  double gate_bytes() const { return dtype_ == Dtype::bf16 ? 2 : 4; }
  double swiglu_bytes() const { return 2 * gate_bytes() + 4 + kExponential; }

  // The norm before a group of linears, computed again where they need it, and gone back through.
  void entry_backward(LinearGroup group, bool has_dx, double times) {
    const double needs_input = is_full_ || rank_of(group) > 0 ? kNormAgain : 0;
    linears_backward(group, has_dx || is_full_, times);
    add_bytes(times * real(tokens_) * real(shape_.hidden) *
              (needs_input + (has_dx || is_full_ ? kNormBack : 0) + (is_full_ ? 24 : 0)));
  }

  const TrialSettings& settings_;
  const ModelShape& shape_;
  int64_t tokens_, segment_;
  double labels_;
  Dtype dtype_;
  bool rounds_, widens_, drops_, is_full_;
  PassWork work_;
};

}  // namespace

PassWork training_work(const TrialSettings& settings, const ModelShape& shape, const StepLoad& load,
                       Bf16 bf16) {
  RT_CHECK(load.tokens > 0);
  Counter counter(settings, shape, load, bf16);
  const LayerPlan layer = layer_plan_of(settings, shape);
  const double layers = real(shape.layers);
  counter.embedding();
  counter.attention_block_forward(layer, layers);
  counter.feed_forward_forward(layer, layers);
  counter.head(true);
  // In the first layer gradients go no further than to its lowest adapter; the others hand theirs down.
  for (const bool is_first : {true, false}) {
    const double alike = is_first ? 1 : layers - 1;
    const bool goes_on = !is_first || settings.method == Method::full, trains = counter.attention_trains(layer);
    counter.feed_forward_backward(layer, goes_on, trains, alike);
    if (goes_on || trains) counter.attention_block_backward(layer, goes_on, alike);
  }
  return counter.take();
}

PassWork eval_work(const TrialSettings& settings, const ModelShape& shape, const StepLoad& load, Bf16 bf16) {
  RT_CHECK(load.tokens > 0);
  TrialSettings undropped = settings;  // chance is training's alone
  if (undropped.lora) undropped.lora->dropout = 0;
  undropped.train.attention_dropout = 0;
  Counter counter(undropped, shape, load, bf16);
  const LayerPlan layer = layer_plan_of(settings, shape);
  counter.embedding();
  counter.attention_block_forward(layer, real(shape.layers));
  counter.feed_forward_forward(layer, real(shape.layers));
  counter.head(false);
  return counter.take();
}

// Value, gradient and moments are read, and all but the gradient written: fused, or in pieces that the cache
// holds.
double optimizer_bytes(const TrialSettings& settings, const ModelShape& shape) {
  const double cleared = 4, measured = 4, updated = 12 + 8 * real(moments_of(settings.train.optimizer));
  const double clipped = settings.train.clip > 0 ? 8 : 0;
  const double copied = settings.model.dtype == Dtype::bf16 ? 6 : 0;
  return (cleared + measured + clipped + updated + copied) * real(trained_parameters(settings, shape));
}

}  // namespace ranktide
