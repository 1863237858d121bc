#include <cerrno>
#include <cstring>
#include <limits>
#include <map>
#include <sys/mman.h>

#include "common/vocabulary/check.h"
#include "tests/worker/trainer/device/fake_device.h"
#include "tests/worker/trainer/device/fake_memory.h"

namespace ranktide::fake {
namespace {

constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

struct Block {
  size_t bytes = 0;
  int open = 0;  // accesses that need it
};

class FakeAllocator final : public c10::DeviceAllocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    if (bytes == 0) return {nullptr, nullptr, &free_block, kDevice};
    c10::CachingAllocator::Stat& held = stats_.allocated_bytes[0];
    TORCH_CHECK_WITH(OutOfMemoryError, held.current + static_cast<int64_t>(bytes) <= limit_,
                     "the fake device is out of memory");
    void* block = ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    TORCH_CHECK(block != MAP_FAILED, "mmap: ", std::strerror(errno));
    held.increase(bytes);
    blocks_[block] = {.bytes = bytes};
    return {block, block, &free_block, kDevice};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &free_block; }
  void copy_data(void*, const void*, size_t) const override {
    TORCH_CHECK(false, "the fake device clones nothing");
  }

  bool initialized() override { return true; }
  void emptyCache(c10::MempoolId_t) override {}
  void recordStream(const c10::DataPtr&, c10::Stream) override {}
  c10::CachingDeviceAllocator::DeviceStats getDeviceStats(c10::DeviceIndex) override { return stats_; }
  void resetAccumulatedStats(c10::DeviceIndex) override { stats_.allocated_bytes[0].reset_accumulated(); }
  void resetPeakStats(c10::DeviceIndex) override { stats_.allocated_bytes[0].reset_peak(); }

  void limit(int64_t bytes) { limit_ = bytes; }
  void open(void* block) { protect(block, 1, PROT_READ | PROT_WRITE); }
  void close(void* block) { protect(block, -1, PROT_NONE); }

 private:
  static void free_block(void* block);

  // The first to open it opens its pages, the last to close it closes them.
  void protect(void* address, int opens, int protection) {
    Block& block = blocks_.at(address);
    block.open += opens;
    if (block.open == (opens > 0 ? 1 : 0)) RT_CHECK(::mprotect(address, block.bytes, protection) == 0);
  }

  std::map<void*, Block> blocks_;
  c10::CachingDeviceAllocator::DeviceStats stats_;
  int64_t limit_ = kNoLimit;
};

// Never destroyed: tensors of static life may outlive everything else.
FakeAllocator& the_allocator() {
  static auto* const allocator = new FakeAllocator;
  return *allocator;
}

void FakeAllocator::free_block(void* block) {
  if (block == nullptr) return;
  FakeAllocator& self = the_allocator();
  const size_t bytes = self.blocks_.at(block).bytes;
  self.stats_.allocated_bytes[0].decrease(bytes);
  self.blocks_.erase(block);
  ::munmap(block, bytes);
}

}  // namespace

c10::Allocator& allocator() {
  return the_allocator();
}

void Access::open(void* block) {
  if (block != nullptr && opened_.insert(block).second) the_allocator().open(block);
}

Access::~Access() {
  for (void* block : opened_) the_allocator().close(block);
}

SmallMemory::SmallMemory(int64_t bytes) {
  the_allocator().limit(bytes);
}

SmallMemory::~SmallMemory() {
  the_allocator().limit(kNoLimit);
}

}  // namespace ranktide::fake
