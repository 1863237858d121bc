#include "tests/worker/trainer/device/fake_device.h"

#include <ATen/EmptyTensor.h>
#include <ATen/core/Tensor.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>
#include <ATen/ops/view_native.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <map>
#include <torch/library.h>
#include <vector>

#include "tests/worker/trainer/device/fake_memory.h"

namespace ranktide::fake {
namespace {

using at::Tensor;
using c10::IValue;

int64_t g_kernels_run = 0, g_waits = 0;

struct FakeGuard final : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return at::kPrivateUse1; }
  c10::Device exchangeDevice(c10::Device) const override { return kDevice; }
  c10::Device getDevice() const override { return kDevice; }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::Stream getStream(c10::Device) const override { return c10::Stream(c10::Stream::DEFAULT, kDevice); }
  c10::Stream exchangeStream(c10::Stream) const override { return c10::Stream(c10::Stream::DEFAULT, kDevice); }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
  void synchronizeDevice(c10::DeviceIndex) const override {}
};

// A kernel's view of what it was given: the same bytes as tensors of the CPU, for as long as it runs. One
// tensor is one tensor in there too, and two over one memory are.
class HostView {
 public:
  Tensor of(const Tensor& tensor) {
    if (!tensor.defined() || tensor.device() != kDevice) return tensor;
    Tensor& seen = tensors_[tensor.unsafeGetTensorImpl()];
    if (!seen.defined())
      seen = at::empty({0}, tensor.dtype())
                 .set_(storage_of(tensor.storage()), tensor.storage_offset(), tensor.sizes(), tensor.strides());
    return seen;
  }

 private:
  at::Storage storage_of(const at::Storage& storage) {
    void* block = storage.data_ptr().get_context();
    access_.open(block);
    const auto [seen, is_new] = storages_.try_emplace(storage.unsafeGetStorageImpl());
    if (is_new)
      seen->second =
          at::Storage(c10::Storage::use_byte_size_t{}, storage.nbytes(), at::DataPtr(block, at::kCPU));
    return seen->second;
  }

  Access access_;
  std::map<const c10::StorageImpl*, at::Storage> storages_;
  std::map<const c10::TensorImpl*, Tensor> tensors_;
};

Tensor empty_on_device(at::IntArrayRef sizes, std::optional<at::ScalarType> dtype, std::optional<at::Layout>,
                       std::optional<at::Device>, std::optional<bool>, std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(sizes, &allocator(), c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                   dtype.value_or(at::kFloat), format);
}

Tensor empty_strided_on_device(at::IntArrayRef sizes, at::IntArrayRef strides,
                               std::optional<at::ScalarType> dtype, std::optional<at::Layout>,
                               std::optional<at::Device>, std::optional<bool>) {
  return at::detail::empty_strided_generic(sizes, strides, &allocator(),
                                           c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                           dtype.value_or(at::kFloat));
}

void copy_bytes(const Tensor& from, const Tensor& to) {
  HostView view;
  view.of(to).copy_(view.of(from));
}

// The one way between host and device.
Tensor copy_from(const Tensor& from, const Tensor& to, bool non_blocking) {
  if (to.is_cpu() || (from.is_cpu() && !non_blocking)) ++g_waits;
  copy_bytes(from, to);
  return to;
}

at::Scalar value_of(const Tensor& tensor) {
  ++g_waits;
  HostView view;
  return view.of(tensor).item();
}

void require_on_device(const c10::OperatorHandle& op, const Tensor& tensor) {
  TORCH_CHECK(!tensor.defined() || tensor.device() == kDevice, op.operator_name(),
              ": expected all tensors to be on the same device, found at least two: ", kDevice, " and ",
              tensor.defined() ? tensor.device() : kDevice);
}

// A number of the host may stand beside tensors of the device, and nothing else.
void require_one_device(const c10::OperatorHandle& op, const std::vector<IValue>& arguments) {
  for (const IValue& argument : arguments) {
    if (argument.isTensor() && argument.toTensor().defined() && argument.toTensor().dim() > 0)
      require_on_device(op, argument.toTensor());
    if (argument.isTensorList())
      for (const Tensor& tensor : argument.toTensorVector()) require_on_device(op, tensor);
    TORCH_CHECK(!argument.isOptionalTensorList(), op.operator_name(),
                ": lists of what may be absent are not known here");
  }
}

IValue on_host(const IValue& argument, HostView& view) {
  if (argument.isTensor()) return view.of(argument.toTensor());
  if (argument.isDevice()) return at::Device(at::kCPU);
  if (!argument.isTensorList()) return argument;
  c10::List<Tensor> list;
  for (const Tensor& tensor : argument.toTensorVector()) list.push_back(view.of(tensor));
  return list;
}

Tensor on_device(const Tensor& made) {
  if (!made.defined()) return made;
  const Tensor out = at::empty_strided(made.sizes(), made.strides(), made.options().device(kDevice));
  copy_bytes(made, out);
  return out;
}

// What a kernel returns is an argument that it wrote to, or something that it made.
IValue returned(const c10::OperatorHandle& op, size_t index, const IValue& made,
                const std::vector<IValue>& arguments) {
  const c10::AliasInfo* alias = op.schema().returns()[index].alias_info();
  if (alias == nullptr) return made.isTensor() ? IValue(on_device(made.toTensor())) : made;
  TORCH_CHECK(alias->isWrite(), op.operator_name(), ": a view needs a kernel of its own");
  for (size_t i = 0; i < arguments.size(); ++i) {
    const c10::AliasInfo* of_argument = op.schema().arguments()[i].alias_info();
    if (of_argument != nullptr && of_argument->beforeSet() == alias->beforeSet()) return arguments[i];
  }
  TORCH_CHECK(false, op.operator_name(), ": returns an alias of nothing that it was given");
}

// Every operation that has no kernel of its own above.
void run_kernel(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  ++g_kernels_run;
  const size_t count = op.schema().arguments().size();
  const std::vector<IValue> arguments(stack->end() - static_cast<std::ptrdiff_t>(count), stack->end());
  require_one_device(op, arguments);
  torch::jit::drop(*stack, count);
  HostView view;
  torch::jit::Stack inner;
  for (const IValue& argument : arguments) inner.push_back(on_host(argument, view));
  op.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::CPU), &inner);
  for (size_t i = 0; i < inner.size(); ++i) stack->push_back(returned(op, i, inner[i], arguments));
}

const c10::impl::DeviceGuardImplRegistrar g_guard(at::kPrivateUse1, new FakeGuard);
const c10::AllocatorRegisterer<at::kPrivateUse1> g_allocator(&allocator());

}  // namespace

int64_t kernels_run() {
  return g_kernels_run;
}

int64_t waits() {
  return g_waits;
}

TORCH_LIBRARY_IMPL(_, PrivateUse1, m) {
  m.fallback(torch::CppFunction::makeFromBoxedFunction<&run_kernel>());
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("empty.memory_format", &empty_on_device);
  m.impl("empty_strided", &empty_strided_on_device);
  m.impl("_copy_from", &copy_from);
  m.impl("_local_scalar_dense", &value_of);
  m.impl("as_strided", &at::native::as_strided_tensorimpl);
  m.impl("view", &at::native::view);
  m.impl("_reshape_alias", &at::native::_reshape_alias);
}

}  // namespace ranktide::fake
