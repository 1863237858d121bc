#include "worker/trainer/program/text_lines.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>

namespace ranktide {
namespace {

std::string drain(std::istream& in) {
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

std::string read_all(const std::string& path) {
  if (path == "-") return drain(std::cin);
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error(path + ": cannot be read: " + std::strerror(errno));
  std::string text = drain(in);
  if (in.bad()) throw std::runtime_error(path + ": reading failed: " + std::strerror(errno));
  return text;
}

}  // namespace ranktide
