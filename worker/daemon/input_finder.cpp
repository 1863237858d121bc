#include "worker/daemon/input_finder.h"

#include <set>
#include <utility>

#include "common/content/hub_cache.h"

namespace ranktide {
namespace fs = std::filesystem;
namespace {

std::string size_text(int64_t bytes) {
  if (bytes < (1 << 20)) return std::to_string(bytes) + " bytes";
  return std::to_string(bytes >> 20) + " MiB";
}

std::string described(const Manifest& input) {
  std::string out = input.root;
  if (input.files.empty()) return out;
  if (input.is_folder())
    return out + " (" + std::to_string(input.files.size()) + " files, " + size_text(input.bytes()) + ")";
  return out + " (" + size_text(input.bytes()) + ", sha256 " +
         input.files.front().content.sha256.substr(0, 12) + ")";
}

fs::path path_of(const fs::path& root, const ManifestFile& file) {
  return file.name.empty() ? root : root / file.name;
}

// Returns: a file that makes this folder another data set; empty when there is none. Files of other kinds than
// those of the input are no data.
std::string further_file(const Manifest& input, const fs::path& root) {
  std::set<std::string> names, endings;
  for (const ManifestFile& file : input.files) {
    names.insert(file.name);
    endings.insert(fs::path(file.name).extension().string());
  }
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    const bool is_data = entry.is_regular_file() && endings.contains(entry.path().extension().string());
    if (is_data && !names.contains(entry.path().lexically_relative(root).generic_string()))
      return entry.path().string();
  }
  return "";
}

std::optional<HubName> hub_name_behind(const Manifest& input) {
  const auto name = hub_name_of(input.root);
  return name ? name : hub_name_of_snapshot(input.root);
}

}  // namespace

// One input, from place to place, with what was found wrong on the way.
class InputFinder::Search {
 public:
  Search(InputFinder& in, const Manifest& input, const OnProgress& on_progress)
      : in_(in), input_(input), on_progress_(on_progress) {}

  fs::path run() {
    if (!is_hub_text(input_.root) && lies_at(input_.root)) return input_.root;
    if (const auto snapshot = in_hub_cache()) return *snapshot;
    if (!input_.files.empty())
      if (const auto copy = as_copy()) return *copy;
    fail();
  }

 private:
  // Sizes of all files first: they cost nothing and tell most differences.
  std::string fault_at(const fs::path& root) {
    std::error_code error;
    for (const ManifestFile& file : input_.files) {
      const fs::path path = path_of(root, file);
      if (!fs::is_regular_file(path, error)) return path.string() + " is missing";
      if (static_cast<int64_t>(fs::file_size(path, error)) != file.content.bytes)
        return path.string() + " has another size";
    }
    for (const ManifestFile& file : input_.files)
      if (in_.hashes_.sha256_of(path_of(root, file)) != file.content.sha256)
        return path_of(root, file).string() + " has other content";
    if (!input_.is_complete || !input_.is_folder()) return "";
    const std::string further = further_file(input_, root);
    return further.empty() ? "" : further + " was not there when the sweep was submitted";
  }

  bool lies_at(const fs::path& root) {
    try {
      const std::string fault = fault_at(root);
      if (fault.empty()) return true;
      note(fault);
    } catch (const std::runtime_error& error) {  // may not be read, or vanished meanwhile
      note(error.what());
    }
    return false;
  }

  // A commit is content, a branch moves: whichever snapshot has the files is the one.
  std::optional<fs::path> in_hub_cache() {
    const auto name = hub_name_behind(input_);
    if (!name || in_.places_.hub_cache.empty()) return std::nullopt;
    for (const fs::path& snapshot : snapshots_of(in_.places_.hub_cache, *name)) {
      const bool is_meant = !input_.files.empty() || snapshot == find_snapshot(in_.places_.hub_cache, *name);
      if (is_meant && lies_at(snapshot)) return snapshot;
    }
    note("the Hugging Face cache " + in_.places_.hub_cache.string() + " has no snapshot of it");
    return std::nullopt;
  }

  std::optional<fs::path> as_copy() {
    in_.in_use_.push_back(in_.copies_.use(input_));
    const auto lock = in_.copies_.fill(input_, [this] { on_progress_("fetching " + input_.base_name()); });
    const fs::path root = in_.copies_.root_of(input_);
    if (lies_at(root)) return root;
    try {
      fetch(root, link_known(root));
      return root;
    } catch (const BulkError& error) {
      note("from the coordinator: " + std::string(error.what()));
    } catch (const InputCacheFull& error) {
      note(error.what());
    }
    return std::nullopt;
  }

  // Content is what counts: a file that this worker has met before under another name will do.
  // Returns: those that it has not.
  std::vector<ManifestFile> link_known(const fs::path& root) {
    std::vector<ManifestFile> out;
    for (const ManifestFile& file : input_.files) {
      const fs::path place = path_of(root, file);
      fs::create_directories(place.parent_path());
      if (is_good(place, file.content)) continue;  // of a fetch that was cut short
      fs::remove(place);  // what lies_at() found no good; what is known is linked again
      if (!in_.hashes_.link_known(file.content.sha256, place)) out.push_back(file);
    }
    return out;
  }

  bool is_good(const fs::path& place, const FileContent& content) {
    std::error_code absent;
    const auto bytes = static_cast<int64_t>(fs::file_size(place, absent));
    return !absent && bytes == content.bytes && in_.hashes_.sha256_of(place) == content.sha256;
  }

  void fetch(const fs::path& root, const std::vector<ManifestFile>& files) {
    if (files.empty()) return;
    if (!in_.places_.coordinator) throw BulkError("it serves no files");
    int64_t total = 0, before = 0;
    for (const ManifestFile& file : files) total += file.content.bytes;
    in_.copies_.make_room(total);
    if (!in_.coordinator_) in_.coordinator_ = std::make_unique<BulkClient>(*in_.places_.coordinator);
    for (const ManifestFile& file : files) {
      const fs::path part = in_.copies_.part_of(input_, file.content.sha256);
      in_.coordinator_->fetch(file.content, part, [&](int64_t here) { tell(before + here, total); });
      before += file.content.bytes;
      fs::rename(part, path_of(root, file));
      in_.hashes_.learn_sha256(path_of(root, file), file.content.sha256);
    }
  }

  void tell(int64_t here, int64_t total) const {
    const int64_t percent = here * 100 / std::max<int64_t>(total, 1);
    on_progress_("fetching " + input_.base_name() + " " + std::to_string(percent) + "%");
  }

  void note(const std::string& what) { looked_ += (looked_.empty() ? "" : "; ") + what; }

  [[noreturn]] void fail() const {
    const auto hub = hub_name_behind(input_);
    const std::string remedy = hub ? "run on this worker: " + download_command(*hub)
                                   : "Put it there, or on a file system that the workers share, or submit "
                                     "again from where it is, which "
                                     "sends it to the coordinator";
    throw InputMissing("input " + described(input_) + " is not to be had on this worker: " + looked_ + ". " +
                       remedy);
  }

  InputFinder& in_;
  const Manifest& input_;
  const OnProgress& on_progress_;
  std::string looked_;
};

InputFinder::InputFinder(InputPlaces places)
    : places_(std::move(places)), copies_(places_.copies, places_.copies_bytes_max), hashes_(places_.hashes) {}

std::vector<PlacedInput> InputFinder::find(const std::vector<Manifest>& inputs, const OnProgress& on_progress) {
  const std::vector<InputCache::Use> before = std::exchange(in_use_, {});  // until the new ones are in use
  std::vector<PlacedInput> out;
  for (const Manifest& input : inputs) out.push_back({input, Search(*this, input, on_progress).run().string()});
  return out;
}

}  // namespace ranktide
