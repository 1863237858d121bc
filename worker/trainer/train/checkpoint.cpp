#include "worker/trainer/train/checkpoint.h"

#include <algorithm>
#include <c10/util/Exception.h>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include "common/model/safetensors.h"
#include "common/vocabulary/failpoint.h"
#include "common/vocabulary/sha256.h"
#include "worker/trainer/lm/device.h"
#include "worker/trainer/lm/tensor_bytes.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;

constexpr const char* kStateName = "state.safetensors";
constexpr const char* kUnfinishedPrefix = "writing-";
constexpr const char* kReplacedPrefix = "writing-old-";  // while another takes its place
constexpr double kRoomFactor = 2.2;  // of what is written; reliability: the rest is for what others write

[[noreturn]] void failed(const fs::path& path, const std::string& doing, const std::string& why) {
  throw TrainError(path.string() + ": cannot be " + doing + ": " + why);
}

}  // namespace

void sync_to_disk(const fs::path& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) failed(path, "opened to sync it", std::strerror(errno));
  const int result = fsync(fd);
  const int error = errno;
  close(fd);
  if (result != 0) failed(path, "synced", std::strerror(error));
}

namespace {

// Returns: the number a folder is named by; nullopt for temporary and foreign names.
std::optional<int64_t> number_of(const fs::path& folder) {
  const std::string name = folder.filename().string();
  int64_t n = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), n);
  if (error != std::errc{} || end != name.data() + name.size()) return std::nullopt;
  return n;
}

// Returns: the folders in `parent` that are named by a number, highest first.
std::vector<fs::path> numbered_folders(const fs::path& parent) {
  std::vector<fs::path> folders;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(parent, absent))
    if (entry.is_directory() && number_of(entry.path())) folders.push_back(entry.path());
  std::sort(folders.begin(), folders.end(),
            [](const fs::path& a, const fs::path& b) { return *number_of(a) > *number_of(b); });
  return folders;
}

// Every parameter and its moments, by name.
struct NamedTensor {
  std::string name;
  at::Tensor tensor;  // a view into the flat buffers
};
std::vector<NamedTensor> named_tensors(const ModelTensors& tensors, const Moments& moments) {
  std::vector<NamedTensor> named;
  for (const Parameter& p : tensors.parameters) {
    const auto view_into = [&](const at::Tensor& flat) {
      return flat.narrow(0, p.offset, p.value.numel()).view(p.value.sizes());
    };
    named.push_back({"value." + p.name, view_into(tensors.values)});
    named.push_back({"first." + p.name, view_into(moments.first)});
    if (moments.second.defined()) named.push_back({"second." + p.name, view_into(moments.second)});
  }
  return named;
}

// What else the device says while it copies is its own, and not for here.
at::Tensor copied_to_host(const at::Tensor& tensor) {
  try {
    return on_host(tensor);
  } catch (const c10::Error& e) {
    const std::string why = e.what_without_backtrace();
    if (!is_host_out_of_memory(why)) throw;
    throw TrainError("a checkpoint cannot be copied from the device: " + why);
  }
}

// Checkpoints that died half written, and those beyond the newest few. Later steps than the newest's are what
// it was not resumed from; they count for nothing.
void remove_old(const fs::path& attempt_folder, Step newest) {
  std::error_code ignored;  // what cannot be removed today is tried again after the next checkpoint
  for (const auto& entry : fs::directory_iterator(attempt_folder, ignored))
    if (entry.path().filename().string().starts_with(kUnfinishedPrefix)) fs::remove_all(entry.path(), ignored);
  int kept = 0;
  for (const fs::path& folder : numbered_folders(attempt_folder))
    if (*number_of(folder) <= newest && ++kept > kCheckpointsKept) fs::remove_all(folder, ignored);
}

fs::path make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) failed(folder, "made", error.message());
  return folder;
}

// As make_folder, and what a power loss leaves of the folder it finds by its name.
void make_lasting_folder(const fs::path& folder) {
  std::vector<fs::path> parents;  // of what is not there yet
  std::error_code ignored;        // make_folder says what is wrong
  for (fs::path each = folder; !each.empty() && !fs::exists(each, ignored); each = each.parent_path())
    parents.push_back(each.has_parent_path() ? each.parent_path() : fs::path("."));
  make_folder(folder);
  for (const fs::path& parent : parents) sync_to_disk(parent);
}

void require_room(const fs::path& folder, const std::vector<NamedTensor>& state) {
  int64_t bytes = 0;
  for (const NamedTensor& named : state) bytes += static_cast<int64_t>(named.tensor.nbytes());
  std::error_code error;
  const fs::space_info space = fs::space(folder, error);
  if (error) failed(folder, "asked for its free space", error.message());
  const std::string refused = room_refusal(bytes, static_cast<int64_t>(space.available));
  if (!refused.empty()) throw TrainError(folder.string() + ": a checkpoint " + refused);
}

// How far the state has come, and what its promise of equal bits hangs on, for where it is hashed.
std::map<std::string, std::string> metadata_of(const Manifest& manifest) {
  return {{"steps", std::to_string(manifest.step)},
          {"tokens", std::to_string(manifest.tokens)},
          {"exact", manifest.exact ? "true" : "false"},
          {"processor", manifest.processor}};
}

void write_state(const fs::path& file, const std::vector<NamedTensor>& state,
                 std::map<std::string, std::string> metadata) {
  metadata.emplace("format", "pt");  // as whoever else reads the file expects
  std::map<std::string, TensorForm> forms;
  std::map<std::string, at::Tensor> tensors;
  for (const NamedTensor& named : state) {
    forms.emplace(named.name, form_of(named.tensor));
    tensors.emplace(named.name, named.tensor);
  }
  at::Tensor copy;
  const auto bytes_of = [&](const std::string& name) {
    copy.reset();  // before the next: the host holds one
    copy = copied_to_host(tensors.at(name));
    return view_of(copy).bytes;
  };
  stream_safetensors(file, forms, bytes_of, metadata);
}

void write_files(const fs::path& folder, Manifest manifest, const std::vector<NamedTensor>& state) {
  write_state(folder / kStateName, state, metadata_of(manifest));
  pass_failpoint("checkpoint_state_written");
  manifest.files = {{kStateName, sha256_of_file(folder / kStateName)}};
  write_manifest(manifest, folder);
  for (const char* name : {kStateName, kManifestName}) sync_to_disk(folder / name);
  sync_to_disk(folder);
  pass_failpoint("checkpoint_manifest_written");
}

// The same step of the same attempt may be there, from before a restart: it goes once the new one is safe.
void put_in_place(const fs::path& folder, const fs::path& final_folder) {
  const fs::path before = final_folder.parent_path() / (kReplacedPrefix + final_folder.filename().string());
  std::error_code error, ignored;
  const bool is_replaced = fs::exists(final_folder, ignored);
  if (is_replaced) {
    fs::remove_all(before, ignored);
    fs::rename(final_folder, before, error);
    if (error) failed(final_folder, "moved aside", error.message());
  }
  fs::rename(folder, final_folder, error);
  if (error && is_replaced) fs::rename(before, final_folder, ignored);
  if (error) failed(final_folder, "put in place", error.message());
  sync_to_disk(final_folder.parent_path());
}

// A kill while another took its place left it under a name that nobody reads.
// Returns: a line for each checkpoint that has its name again.
std::vector<std::string> take_back_replaced(const fs::path& attempt_folder) {
  std::vector<fs::path> replaced;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(attempt_folder, error))
    if (entry.path().filename().string().starts_with(kReplacedPrefix)) replaced.push_back(entry.path());
  std::vector<std::string> lines;
  for (const fs::path& folder : replaced) {
    const fs::path place =
        attempt_folder / folder.filename().string().substr(std::string(kReplacedPrefix).size());
    if (!number_of(place) || fs::exists(place, error)) continue;
    fs::rename(folder, place, error);
    if (!error) lines.push_back("checkpoint " + place.string() + " has its name again: it was being replaced");
  }
  return lines;
}

// Returns: what became of a damaged checkpoint, for its line.
std::string set_aside(const fs::path& folder) {
  const fs::path place = folder.string() + ".corrupt";
  std::error_code error;
  fs::remove_all(place, error);
  fs::rename(folder, place, error);
  return error ? "it stays where it is (" + error.message() + ")" : "it is now " + place.filename().string();
}

}  // namespace

std::string room_refusal(int64_t state_bytes, int64_t free_bytes) {
  const auto wanted = static_cast<int64_t>(kRoomFactor * static_cast<double>(state_bytes));
  if (free_bytes >= wanted) return "";
  return "needs " + std::to_string(wanted >> 20) + " MiB of free disk, " + std::to_string(free_bytes >> 20) +
         " MiB are left; free some, or name another folder with --data-dir";
}

void write_checkpoint(const fs::path& checkpoints, Manifest manifest, const ModelTensors& tensors,
                      const Moments& moments) {
  const fs::path attempt_folder = checkpoints / manifest.stage.text / std::to_string(manifest.attempt);
  const fs::path final_folder = attempt_folder / std::to_string(manifest.step);
  const fs::path folder = attempt_folder / (kUnfinishedPrefix + std::to_string(manifest.step));
  make_lasting_folder(attempt_folder);
  const auto state = named_tensors(tensors, moments);
  require_room(attempt_folder, state);
  std::error_code ignored;  // the reason of the failure is the one to tell
  try {
    write_files(make_folder(folder), manifest, state);
    put_in_place(folder, final_folder);
  } catch (const std::runtime_error& e) {
    fs::remove_all(folder, ignored);
    throw TrainError(e.what());
  } catch (const c10::Error&) {
    fs::remove_all(folder, ignored);
    throw;
  }
  pass_failpoint("checkpoint_renamed");
  remove_old(attempt_folder, manifest.step);
}

std::vector<fs::path> checkpoint_folders(const fs::path& checkpoints, const StageId& stage) {
  std::vector<fs::path> folders;
  for (const auto& attempt : numbered_folders(checkpoints / stage.text))
    for (const auto& folder : numbered_folders(attempt)) folders.push_back(folder);
  std::stable_sort(folders.begin(), folders.end(),
                   [](const fs::path& a, const fs::path& b) { return *number_of(a) > *number_of(b); });
  return folders;
}

namespace {

// No hash covers the manifest, and a bit of it decides where training goes on.
void require_agreement(const Manifest& manifest, const fs::path& folder, const Stage& stage) {
  const auto require = [&](bool agree, const std::string& what) {
    if (!agree) throw DamagedCheckpoint((folder / kManifestName).string() + ": damaged, its " + what);
  };
  require(manifest.stage == stage.id, "stage is another, " + manifest.stage.brief());
  require(manifest.attempt == *number_of(folder.parent_path()), "attempt is not its folder's");
  require(manifest.step == *number_of(folder), "step is not its folder's");
  require(manifest.seed == stage.settings.seed, "seed is not its stage's");
  const SafetensorsFile state(folder / kStateName);
  const auto expected = metadata_of(manifest);
  for (const auto& [name, value] : expected) {
    const auto found = state.metadata().find(name);  // not there in the first checkpoints of this format
    require(found == state.metadata().end() || found->second == value, name + " cannot be its state's");
  }
}

std::string refusal_for_bits(const Manifest& manifest, const Engine& engine) {
  const std::string why = inexactness(manifest, engine);
  return why.empty() ? why : "its result would not be promised bit-equal: " + why;
}

}  // namespace

CheckpointSearch find_checkpoint(const fs::path& checkpoints, const Stage& stage, const Engine& engine,
                                 const ResumeLimits& limits) {
  CheckpointSearch search;
  for (const auto& attempt : numbered_folders(checkpoints / stage.id.text))
    for (std::string& line : take_back_replaced(attempt)) search.notes.push_back(std::move(line));
  for (const auto& folder : checkpoint_folders(checkpoints, stage.id)) {
    if (limits.at_most && *number_of(folder) > *limits.at_most) continue;
    std::string why;
    try {
      Manifest manifest = read_manifest(folder);
      require_agreement(manifest, folder, stage);
      why = refusal(manifest, engine);
      if (why.empty() && limits.exact_only) why = refusal_for_bits(manifest, engine);
      if (why.empty()) {
        search.newest = {.manifest = std::move(manifest), .folder = folder};
        return search;
      }
    } catch (const DamagedCheckpoint& e) {
      why = std::string(e.what()) + "; " + set_aside(folder);
    } catch (const std::runtime_error& e) {
      why = e.what();
    }
    search.notes.push_back("checkpoint " + folder.string() + " is skipped: " + why);
  }
  return search;
}

void read_checkpoint(const FoundCheckpoint& found, ModelTensors& tensors, Moments& moments) {
  const SafetensorsFile file(found.folder / kStateName);
  const auto state = named_tensors(tensors, moments);
  if (file.tensors().size() != state.size())
    throw ModelError(found.folder.string() + ": holds other parameters than the trial trains");
  for (const NamedTensor& named : state) {
    const auto stored = file.tensors().find(named.name);
    if (stored == file.tensors().end())
      throw ModelError(found.folder.string() + ": lacks \"" + named.name + "\"");
    at::Tensor(named.tensor)
        .copy_(read_tensor(named.name, stored->second, named.tensor.sizes().vec(), at::kFloat));
  }
  refresh_products(tensors);
}

}  // namespace ranktide
