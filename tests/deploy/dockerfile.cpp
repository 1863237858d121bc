#include "tests/deploy/dockerfile.h"

#include <sstream>

namespace ranktide::deploy {
namespace {

// Lines that end with a backslash go on; comments and blank lines say nothing.
std::vector<Instruction> read(const std::string& text) {
  std::vector<Instruction> out;
  std::istringstream in(text);
  std::string joined;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line.front() == '#') continue;
    const bool goes_on = line.back() == '\\';
    if (goes_on) line.pop_back();
    joined += line;
    if (goes_on) continue;
    const size_t blank = joined.find(' ');
    out.push_back({joined.substr(0, blank), blank == std::string::npos ? "" : joined.substr(blank + 1)});
    joined.clear();
  }
  return out;
}

struct Stage {
  std::string base;
  std::string name;
};

// Of "BASE AS NAME".
Stage stage_of(const Instruction& from) {
  std::istringstream in(from.rest);
  Stage out;
  std::string as;
  in >> out.base >> as >> out.name;
  return out;
}

std::string last(const std::vector<Instruction>& image, const std::string& word) {
  std::string out;
  for (const Instruction& each : image)
    if (each.word == word) out = each.rest;
  return out;
}

}  // namespace

std::vector<Instruction> instructions_of(const std::string& dockerfile, const std::string& name) {
  std::vector<Instruction> out;
  bool is_here = false;
  for (const Instruction& each : read(dockerfile)) {
    if (each.word == "FROM") {
      const Stage stage = stage_of(each);
      is_here = stage.name == name;
      if (is_here && stage.base != name) out = instructions_of(dockerfile, stage.base);
    } else if (is_here) {
      out.push_back(each);
    }
  }
  return out;
}

std::string without(const std::string& dockerfile, const std::string& word) {
  std::string out;
  for (const Instruction& each : read(dockerfile))
    if (each.word != word) out += each.word + " " + each.rest + "\n";
  return out;
}

std::vector<std::string> faults_of_image(const std::string& dockerfile, const std::string& name,
                                         bool is_asked) {
  const std::vector<Instruction> image = instructions_of(dockerfile, name);
  std::vector<std::string> out;
  const auto require = [&](bool is_so, const std::string& fault) {
    if (!is_so) out.push_back(fault);
  };
  const std::string user = last(image, "USER");
  // A number, because Kubernetes cannot tell what a name means.
  require(!user.empty() && user.find_first_of("123456789") == 0, "USER is root, or a name");
  require(last(image, "ENTRYPOINT").starts_with(R"(["/usr/bin/tini", "--", "ranktide",)"),
          "ENTRYPOINT is not tini's, in exec form");
  require(last(image, "STOPSIGNAL") == "SIGTERM", "STOPSIGNAL is not SIGTERM");
  require(!is_asked || last(image, "HEALTHCHECK").ends_with(R"(CMD ["ranktide", "health"])"),
          "HEALTHCHECK does not ask it");
  return out;
}

}  // namespace ranktide::deploy
