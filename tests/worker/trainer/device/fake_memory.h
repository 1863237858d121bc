#pragma once
// The memory of the fake device: pages that are closed unless one of its kernels runs on them. For
// fake_device.cpp.

#include <c10/core/CachingDeviceAllocator.h>
#include <set>

namespace ranktide::fake {

c10::Allocator& allocator();

// What was opened can be read and written while this lives.
class Access {
 public:
  Access() = default;
  ~Access();
  Access(const Access&) = delete;
  Access& operator=(const Access&) = delete;
  // `block`: where an allocation begins; may be null, and may be open already.
  void open(void* block);

 private:
  std::set<void*> opened_;
};

}  // namespace ranktide::fake
