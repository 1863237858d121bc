#include "common/model/processor.h"

#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

namespace ranktide {
namespace {

// What stands after the colon of "flags\t\t: fpu vme ...".
std::string value_of(const std::string& line) {
  const size_t colon = line.find(':');
  const size_t begin = colon == std::string::npos ? colon : line.find_first_not_of(" \t", colon + 1);
  return begin == std::string::npos ? "" : line.substr(begin);
}

std::string widest_of(const std::string& flags) {
  std::istringstream in(flags);
  const std::set<std::string> known{std::istream_iterator<std::string>(in), {}};
  for (const char* instructions : {"avx512_bf16", "avx512f", "avx2"})
    if (known.contains(instructions)) return instructions;
  return "plain";
}

}  // namespace

Processor this_processor(const std::filesystem::path& cpuinfo) {
  Processor found{.name = kUnknownProcessor, .instructions = "plain"};
  std::ifstream in(cpuinfo);
  for (std::string line; std::getline(in, line) && !line.empty();) {  // an empty line ends the first processor
    if (line.starts_with("model name")) found.name = value_of(line);
    if (line.starts_with("flags")) found.instructions = widest_of(value_of(line));
  }
  return found;
}

bool widens_bf16(const Processor& processor) {
  return !processor.instructions.starts_with("avx512");
}

}  // namespace ranktide
