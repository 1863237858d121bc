#include "worker/trainer/program/file_stamp.h"

#include <algorithm>
#include <system_error>
#include <vector>

namespace ranktide {
namespace fs = std::filesystem;
namespace {

std::string stamp_of_one(const fs::path& file) {
  std::error_code error;  // absence is part of the stamp; who reads the file says what is wrong with it
  const auto size = fs::file_size(file, error);
  if (error) return file.string() + " absent\n";
  const auto time = fs::last_write_time(file, error).time_since_epoch().count();
  return file.string() + " " + std::to_string(size) + " " + std::to_string(time) + "\n";
}

}  // namespace

std::string file_stamp(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return stamp_of_one(path);
  std::vector<std::string> stamps;
  for (const auto& entry : fs::recursive_directory_iterator(path, error))
    if (entry.is_regular_file(error)) stamps.push_back(stamp_of_one(entry.path()));
  std::sort(stamps.begin(), stamps.end());
  std::string all;
  for (const std::string& stamp : stamps) all += stamp;
  return all;
}

}  // namespace ranktide
