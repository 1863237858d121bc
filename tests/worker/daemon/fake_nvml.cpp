// NVIDIA's management library as a test wants it: FAKE_NVML in the environment names a node.
//   two      two whole devices, the second with a stranger's process on it
//   sliced   a whole device, and one cut into two slices with a gap between them
//   lost     two devices, of which the first does not answer
//   silent   the same, and it says so only when asked who it is
//   hangs    a driver that never answers
//   none     a library without a driver;   mismatched: one whose driver is of another version
// Only what nvml.cpp calls is here, with the library's own signatures.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <unistd.h>

namespace {

constexpr int kSuccess = 0, kInvalid = 2, kNotFound = 6, kInsufficientSize = 7, kNoDriver = 9, kLost = 15,
              kMismatch = 18;
constexpr unsigned long long kGib = 1ULL << 30;

struct Device {
  const char* uuid;
  const char* name;
  unsigned minor;
  unsigned long long total, used;
  unsigned strangers;
  bool sliced;
};

Device g_whole{"GPU-aaaa0000-0000", "NVIDIA Test 80GB", 0, 80 * kGib, 0, 0, false};
Device g_shared{"GPU-aaaa1111-1111", "NVIDIA Test 80GB", 1, 80 * kGib, 30 * kGib, 1, false};
Device g_sliced{"GPU-aaaa2222-2222", "NVIDIA Test 80GB", 1, 80 * kGib, 0, 0, true};
Device g_slices[] = {{"MIG-bbbb0000-0000", "NVIDIA Test 80GB MIG 3g.40gb", 1, 40 * kGib, 0, 0, false},
                     {"MIG-bbbb1111-1111", "NVIDIA Test 80GB MIG 3g.40gb", 1, 40 * kGib, 0, 0, false}};

bool node_is(const char* name) {
  const char* node = std::getenv("FAKE_NVML");
  return node != nullptr && std::string(node) == name;
}

Device& as_device(void* handle) {
  return *static_cast<Device*>(handle);
}

int put_text(const char* text, char* out, unsigned size) {
  return std::snprintf(out, size, "%s", text) < static_cast<int>(size) ? kSuccess : kInsufficientSize;
}

}  // namespace

extern "C" {

struct FakeMemory {
  unsigned long long total, free, used;
};

int nvmlInit_v2() {
  while (node_is("hangs")) ::pause();
  return node_is("none") ? kNoDriver : node_is("mismatched") ? kMismatch : kSuccess;
}
int nvmlShutdown() {
  return kSuccess;
}
const char* nvmlErrorString(int code) {
  return code == kMismatch ? "Driver/library version mismatch" : "GPU is lost";
}
int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = 2;
  return kSuccess;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  if (index > 1) return kInvalid;
  if (node_is("lost") && index == 0) return kLost;
  *device = index == 0 ? &g_whole : node_is("sliced") ? &g_sliced : &g_shared;
  return kSuccess;
}
int nvmlDeviceGetUUID(void* device, char* out, unsigned size) {
  if (node_is("silent") && device == &g_whole) return kLost;
  return put_text(as_device(device).uuid, out, size);
}
int nvmlDeviceGetName(void* device, char* out, unsigned size) {
  return put_text(as_device(device).name, out, size);
}
int nvmlDeviceGetMemoryInfo(void* device, FakeMemory* out) {
  const Device& d = as_device(device);
  *out = {d.total, d.total - d.used, d.used};
  return kSuccess;
}
int nvmlDeviceGetMinorNumber(void* device, unsigned* minor) {
  *minor = as_device(device).minor;
  return kSuccess;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void* device, unsigned* count, void*) {
  *count = as_device(device).strangers;
  return *count > 0 ? kInsufficientSize : kSuccess;
}
int nvmlDeviceGetMigMode(void* device, unsigned* current, unsigned* pending) {
  *current = *pending = as_device(device).sliced ? 1 : 0;
  return kSuccess;
}
int nvmlDeviceGetMaxMigDeviceCount(void*, unsigned* count) {
  *count = 7;
  return kSuccess;
}
int nvmlDeviceGetMigDeviceHandleByIndex(void*, unsigned place, void** device) {
  if (place != 0 && place != 2) return kNotFound;
  *device = &g_slices[place / 2];
  return kSuccess;
}
}
