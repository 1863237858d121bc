#include "worker/daemon/joined.h"

#include "common/net/key_file.h"

namespace ranktide {
namespace {

std::filesystem::path file_in(const std::filesystem::path& work_folder) {
  return work_folder / "joined";
}

}  // namespace

std::optional<Joined> read_joined(const std::filesystem::path& work_folder) {
  const auto lines = lines_of(file_in(work_folder));
  if (lines.empty()) return std::nullopt;
  try {
    return from_json<Joined>(parse_json(lines.front()));
  } catch (const ProtocolError& error) {
    fail_on(file_in(work_folder), std::string(error.what()) + "; delete it and join again");
  }
}

void write_joined(const std::filesystem::path& work_folder, const Joined& joined) {
  replace_lines(file_in(work_folder), {to_json(joined).dump()});
}

}  // namespace ranktide
