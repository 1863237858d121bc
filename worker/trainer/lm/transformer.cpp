#include "worker/trainer/lm/transformer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>
#include <algorithm>

#include "common/vocabulary/check.h"
#include "worker/trainer/lm/layer.h"
#include "worker/trainer/lm/loss.h"

namespace ranktide {
namespace {

using at::Tensor;

struct LayerSaved {
  AttentionSaved attention;
  FeedForwardSaved feed_forward;
};

// 0, 1, 2 ... from the start of each segment.
std::vector<int32_t> positions_of(const Packed& input) {
  std::vector<int32_t> positions;
  positions.reserve(input.tokens.size());
  int32_t begin = 0;
  for (const int32_t end : input.segment_ends) {
    RT_CHECK(end > begin);
    for (int32_t i = begin; i < end; ++i) positions.push_back(i - begin);
    begin = end;
  }
  RT_CHECK(begin == std::ssize(input.tokens));
  return positions;
}

at::Device device_of(const Network& network) {
  return network.embedding.w.value.device();
}

Pass pass_of(const Network& network, const ModelShape& shape, const Packed& input,
             const std::optional<Chance>& chance, Workspace& memory) {
  for (const int32_t token : input.tokens) RT_CHECK(token >= 0 && token < shape.vocabulary);
  const at::ScalarType dtype = network.embedding.w.value.scalar_type();
  const Tensor positions = indices(positions_of(input), device_of(network));
  return {.shape = shape,
          .dtype = dtype,
          .rotation = rotation(shape, positions, sum_dtype(dtype)),
          .runs = runs_of(input.segment_ends),
          .chance = chance,
          .memory = memory};
}

// Returns: the first layer that the backward pass has to reach.
size_t lowest_trained(const Network& network) {
  if (network.embedding.w.trains()) return 0;
  const auto trains = [](const Layer& l) { return attention_block_trains(l) || feed_forward_trains(l); };
  const auto lowest = std::find_if(network.layers.begin(), network.layers.end(), trains);
  return static_cast<size_t>(lowest - network.layers.begin());
}

Tensor rows_of(const Tensor& stream, const Tensor& rows, Arena& arena) {
  Tensor out = arena.take({rows.size(0), stream.size(1)}, stream.scalar_type());
  return at::index_select_out(out, stream, 0, rows);
}

// Returns: the stream after the last layer. The layers from `lowest` on are kept, those before change the
// stream in place.
Tensor stream_forward(const Network& network, const Tensor& tokens, size_t lowest,
                      std::vector<LayerSaved>& saved, const Pass& pass) {
  Arena& kept = pass.memory.kept;
  Tensor h = kept.take({tokens.size(0), pass.shape.hidden}, sum_dtype(pass.dtype));  // (T, D)
  embed_forward(network.embedding, tokens, h);
  for (size_t i = 0; i < lowest; ++i) {
    const Frame frame(kept);
    LayerSaved none;
    attention_block_forward(network.layers[i], i, h, h, none.attention, pass);
    feed_forward_forward(network.layers[i], i, h, h, none.feed_forward, pass);
  }
  const auto like = [&](const Tensor& x) { return kept.take(x.sizes(), x.scalar_type()); };
  for (size_t i = lowest; i < network.layers.size(); ++i) {
    const Tensor between = like(h);  // (T, D)
    attention_block_forward(network.layers[i], i, h, between, saved[i].attention, pass);
    h = like(between);  // (T, D)
    feed_forward_forward(network.layers[i], i, between, h, saved[i].feed_forward, pass);
  }
  return h;
}

// dh: fp32 (T, D), the gradient of the stream after the last layer, changed on the way.
void stream_backward(const Network& network, const Tensor& tokens, size_t lowest,
                     const std::vector<LayerSaved>& saved, const Tensor& dh, const Pass& pass) {
  const bool table_trains = network.embedding.w.trains();
  for (size_t i = network.layers.size(); i-- > lowest;) {
    const Layer& layer = network.layers[i];
    const Below below = i > lowest || table_trains ? Below::trains : Below::is_frozen;
    const Below halfway = attention_block_trains(layer) ? Below::trains : below;
    feed_forward_backward(layer, i, dh, saved[i].feed_forward, pass, halfway);
    if (halfway == Below::trains) attention_block_backward(layer, i, dh, saved[i].attention, pass, below);
  }
  embed_backward(network.embedding, tokens, dh);
}

// The final norm and the head, of rows with a label only: all that follows the stream, there and back. dh
// becomes the gradient of the stream. Returns: the loss.
Tensor head_gradients(const Network& network, const Tensor& stream, const Labels& labels, double scale,
                      const Tensor& dh, const Pass& pass) {
  Arena& scratch = pass.memory.scratch;
  const Frame frame(scratch);
  const at::ScalarType fp32 = stream.scalar_type();
  const Tensor rows = indices(labels.rows, stream.device()), targets = indices(labels.targets, stream.device());
  const Tensor h = rows_of(stream, rows, scratch), inverse = scratch.take({rows.size(0), 1}, fp32);  // (R, D)
  inverse_rms(h, pass.shape.norm_eps, inverse, scratch);
  const Tensor x = scratch.take(h.sizes(), fp32), dx = scratch.take(h.sizes(), fp32);  // (R, D)
  rms_norm_forward(network.final_norm, h, inverse, x, scratch);
  const Tensor loss = head_loss(network.head, x, targets, scale, dx, scratch);
  const Tensor d_rows = x.zero_();  // (R, D)
  rms_norm_backward(network.final_norm, h, inverse, dx, d_rows, scratch);
  dh.zero_().index_copy_(0, rows, d_rows);  // (T, D)
  return loss;
}

}  // namespace

at::ScalarType scalar_type_of(Dtype dtype) {
  return dtype == Dtype::bf16 ? at::kBFloat16 : at::kFloat;
}

Tensor indices(std::span<const int32_t> values, at::Device device) {
  const Tensor out = at::empty({std::ssize(values)}, at::kLong);
  std::copy(values.begin(), values.end(), out.mutable_data_ptr<int64_t>());
  return out.to(device, at::kLong, /*non_blocking=*/true);
}

Tensor residual_stream(const Network& network, const ModelShape& shape, const Packed& input,
                       Workspace& memory) {
  const Frame frame(memory.scratch);
  const Pass pass = pass_of(network, shape, input, std::nullopt, memory);
  std::vector<LayerSaved> none;
  const Tensor tokens = indices(input.tokens, device_of(network));
  return stream_forward(network, tokens, network.layers.size(), none, pass);
}

Tensor normed_rows(const Network& network, const ModelShape& shape, const Tensor& stream, const Tensor& rows,
                   Arena& scratch) {
  const Frame frame(scratch);
  const Tensor h = rows_of(stream, rows, scratch);  // (R, D)
  const Tensor inverse = scratch.take({rows.size(0), 1}, h.scalar_type());
  inverse_rms(h, shape.norm_eps, inverse, scratch);
  const Tensor x = at::empty(h.sizes(), h.options());  // (R, D)
  rms_norm_forward(network.final_norm, h, inverse, x, scratch);
  return x;
}

Tensor add_gradients(const Network& network, const ModelShape& shape, const Packed& input, const Labels& labels,
                     double scale, const Chance& chance, Workspace& memory) {
  const Frame kept(memory.kept), scratch(memory.scratch);
  const Pass pass = pass_of(network, shape, input, chance, memory);
  const Tensor tokens = indices(input.tokens, device_of(network));
  const size_t lowest = lowest_trained(network);
  std::vector<LayerSaved> saved(network.layers.size());
  const Tensor stream = stream_forward(network, tokens, lowest, saved, pass);   // (T, D)
  const Tensor dh = memory.scratch.take(stream.sizes(), stream.scalar_type());  // (T, D)
  const Tensor loss = head_gradients(network, stream, labels, scale, dh, pass);
  stream_backward(network, tokens, lowest, saved, dh, pass);
  return loss;
}

}  // namespace ranktide
