#pragma once
// The files behind one path of a work's settings, by content: a data file, a folder of them, a model folder.
// What lies elsewhere with the same names and hashes is as good. It says nothing of where files are. Names come
// over the wire and become names of files, so that every one is checked here first. Pure; any thread.

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "common/vocabulary/work.h"

namespace ranktide {

struct ContentError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct ManifestFile {
  std::string name;  // below the root, '/' between its parts; empty: the root is this file
  FileContent content;
};

struct Manifest {
  std::string root;         // as the settings name it: an absolute path, or a `hub:` name
  bool is_complete = true;  // a folder with further data files is another data set; of models they are ignored
  std::vector<ManifestFile> files;  // by name; none: its content was not recorded

  bool is_folder() const { return files.size() != 1 || !files.front().name.empty(); }
  int64_t bytes() const;
  // Returns: the hash of names and contents, the same wherever the root was; 64 hex digits.
  std::string id() const;
  // Returns: the last part of the root: what the copy is called, because endings of names have a meaning.
  std::string base_name() const;
};

// Returns: what the work reads, one entry for each path of its settings that has recorded files or is a `hub:`
// name; an eval file that changed between two sweeps has one for each content.
// Throws: ContentError for a name that leads out of its root, or a hash or size that is none.
std::vector<Manifest> manifests_of(const Work& work);

struct PlacedInput {
  Manifest manifest;
  std::string path;  // where it lies on this machine
};
// Returns: the work with the paths of its settings replaced by where those inputs lie.
Work relocated(Work work, const std::vector<PlacedInput>& placed);

// Returns: whether it names a file below some folder and cannot lead out of it: parts without control
// characters, none empty, "." or "..", at most 1024 bytes.
bool is_safe_name(std::string_view name);
// Returns: whether it is 64 lower-case hex digits, and so safe as a file's name.
bool is_sha256_text(std::string_view text);

}  // namespace ranktide
