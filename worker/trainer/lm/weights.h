#pragma once
// The stored tensors of a decoder under their Hugging Face names: one list serves loading a base, allocating
// full finetuning and writing a folder. Engine-internal: this header shows LibTorch.

#include <memory>
#include <string>
#include <vector>

#include "common/model/safetensors.h"
#include "common/model/shape.h"
#include "worker/trainer/lm/arena.h"
#include "worker/trainer/lm/model.h"
#include "worker/trainer/lm/network.h"
#include "worker/trainer/lm/parameters.h"

namespace ranktide {

struct BaseTensors {
  Network network;  // no masters: nothing trains
  at::Device device;
  std::unique_ptr<Workspace> workspace;  // of all passes over this base
};

// Sizes `network` to the shape. Returns: every stored tensor with its place in the network; a tied head is
// none.
std::vector<ParameterSlot> weight_slots(Network& network, const ModelShape& shape);

// Points what is shared at what it shares: a tied head at the embedding. Called after the slots were filled.
void tie(Network& network, const ModelShape& shape);

// Returns: the weights of a folder on the device, products in `dtype`, norms in fp32; where there is a change,
// after it. Throws: ModelError for tensors that are missing, of another shape, or that this architecture does
// not have.
Network load_network(const std::filesystem::path& folder, const ModelShape& shape, Dtype dtype,
                     at::Device device = at::kCPU, const WeightChange& change = {});

// Fills allocated parameters from the files of the folder, in fp32; where there is a change, after it.
void load_parameters(ModelTensors& tensors, const std::filesystem::path& folder,
                     const WeightChange& change = {});

}  // namespace ranktide
