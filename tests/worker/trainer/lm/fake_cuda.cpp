// NVIDIA's driver as a test wants it: one GPU, or with FAKE_CUDA=none in the environment no device. Only what
// cuda_driver.cpp calls is here, with the driver's own signatures.

#include <cstdio>
#include <cstdlib>

namespace {

constexpr int kSuccess = 0, kInvalid = 1, kNoDevice = 100;
constexpr int kMajor = 75, kMinor = 76;

}  // namespace

extern "C" {

int cuInit(unsigned flags) {
  if (flags != 0) return kInvalid;
  return std::getenv("FAKE_CUDA") != nullptr ? kNoDevice : kSuccess;
}

int cuDeviceGet(int* device, int ordinal) {
  *device = ordinal + 7;  // a handle is no ordinal
  return ordinal == 0 ? kSuccess : kNoDevice;
}

int cuDeviceGetName(char* name, int bytes, int device) {
  std::snprintf(name, static_cast<size_t>(bytes), "NVIDIA Test 80GB");
  return device == 7 ? kSuccess : kInvalid;
}

int cuDeviceGetAttribute(int* value, int attribute, int device) {
  *value = attribute == kMajor ? 9 : 0;
  return device == 7 && (attribute == kMajor || attribute == kMinor) ? kSuccess : kInvalid;
}
}
