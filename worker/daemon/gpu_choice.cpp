#include "worker/daemon/gpu_choice.h"

#include <algorithm>
#include <fcntl.h>
#include <sstream>
#include <unistd.h>

namespace ranktide {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> words_of(const std::string& list) {
  std::vector<std::string> words;
  std::istringstream in(list);
  for (std::string word; std::getline(in, word, ',');) {
    word.erase(0, word.find_first_not_of(' '));
    word.erase(word.find_last_not_of(' ') + 1);
    words.push_back(word);
  }
  return words;
}

bool is_number(const std::string& word) {
  return !word.empty() && word.size() < 6 && word.find_first_not_of("0123456789") == std::string::npos;
}

// Returns: the devices that a word names; empty when it fits none, or a UUID's beginning fits several.
std::vector<Gpu> named(const std::vector<Gpu>& gpus, const std::string& word) {
  std::vector<Gpu> out;
  if (is_number(word)) {
    const int index = std::stoi(word);
    std::copy_if(gpus.begin(), gpus.end(), std::back_inserter(out),
                 [&](const Gpu& gpu) { return gpu.index == index; });
    return out;
  }
  const bool is_uuid = word.starts_with("GPU-") || word.starts_with("MIG-");
  if (!is_uuid) return out;
  std::copy_if(gpus.begin(), gpus.end(), std::back_inserter(out),
               [&](const Gpu& gpu) { return gpu.uuid.starts_with(word); });
  return out.size() == 1 ? out : std::vector<Gpu>{};
}

bool has(const std::vector<Gpu>& gpus, const Gpu& one) {
  return std::any_of(gpus.begin(), gpus.end(), [&](const Gpu& gpu) { return gpu.uuid == one.uuid; });
}

fs::path device_file(const fs::path& root, const Gpu& gpu) {
  return root / ("dev/nvidia" + std::to_string(gpu.minor));
}

bool can_open(const fs::path& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
  if (fd >= 0) ::close(fd);
  return fd >= 0;
}

std::string list_of(const std::vector<Gpu>& gpus) {
  std::string out;
  for (const Gpu& gpu : gpus) out += "\n  " + std::to_string(gpu.index) + "  " + gpu.uuid + "  " + gpu.model;
  return out.empty() ? " none" : out;
}

}  // namespace

std::vector<Gpu> openable_gpus(const std::vector<Gpu>& gpus, const fs::path& root) {
  std::error_code error;
  const bool has_files = fs::exists(root / "dev/nvidiactl", error);
  if (!has_files) return gpus;
  std::vector<Gpu> out;
  std::copy_if(gpus.begin(), gpus.end(), std::back_inserter(out),
               [&](const Gpu& gpu) { return can_open(device_file(root, gpu)); });
  return out;
}

std::vector<Gpu> visible_gpus(const std::vector<Gpu>& gpus,
                              const std::optional<std::string>& cuda_visible_devices) {
  if (!cuda_visible_devices) return gpus;
  std::vector<Gpu> out;
  for (const std::string& word : words_of(*cuda_visible_devices)) {
    const std::vector<Gpu> found = named(gpus, word);
    if (found.empty() || has(out, found.front())) break;
    out.insert(out.end(), found.begin(), found.end());
  }
  return out;
}

std::vector<Gpu> wished_gpus(const std::vector<Gpu>& gpus, const std::string& wish) {
  if (wish.empty()) return gpus;
  if (wish == "none") return {};
  std::vector<Gpu> out;
  for (const std::string& word : words_of(wish)) {
    const std::vector<Gpu> found = named(gpus, word);
    if (found.empty())
      throw DeviceError("--gpus: \"" + word +
                        "\" names no single GPU that this process may use; there are:" + list_of(gpus));
    for (const Gpu& gpu : found)
      if (!has(out, gpu)) out.push_back(gpu);
  }
  return out;
}

}  // namespace ranktide
