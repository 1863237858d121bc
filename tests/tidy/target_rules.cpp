// Whether what CMake lets a target link and what its files include say the same.
#include <algorithm>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "tests/tidy/rules.h"

namespace ranktide::tidy {
namespace {

using Names = std::set<std::string>;

// What it links may be no target of ours: a library of other people, or a word of CMake's.
struct Target {
  std::string declared_in;
  int line = 0;
  bool is_program = false;
  std::string folder;  // of its sources; of the CMake file when it has none
  Names shows, hides;  // USES or PUBLIC, PRIVATELY or PRIVATE
};

struct Targets {
  std::map<std::string, Target> by_name;
  // Of a .cpp, and of the header of its name in a library: nothing links a program.
  std::map<std::string, std::string> owner;
};

bool is_product(const std::string& path) {
  const std::string top = path.substr(0, path.find('/'));
  return top != "tests" && top != "bench" && top != "cmake" && top != "tools";
}

void add_source(const std::string& cpp, const std::string& name, Targets& targets) {
  const std::string stem = cpp.substr(0, cpp.rfind('.'));
  targets.by_name[name].folder = folder_of(cpp);
  targets.owner[cpp] = name;
  if (!targets.by_name[name].is_program) {
    targets.owner[stem + ".h"] = name;
  }
}

// A command that declares or links a target, and what stands in its parentheses.
struct Command {
  std::string name;
  std::istringstream words;
  int line = 0;
};

void add_command(const SourceFile& file, Command command, Targets& targets) {
  std::string name;
  command.words >> name;
  const std::string folder = folder_of(file.path);
  const Target fresh{.declared_in = file.path,
                     .line = command.line,
                     .is_program = command.name == "add_executable",
                     .folder = folder};
  Target& target = targets.by_name.try_emplace(name, fresh).first->second;
  Names* links = &target.shows;
  for (std::string word; command.words >> word;) {
    if (word.ends_with(".cpp")) {
      add_source(folder + "/" + word, name, targets);
    } else if (word == "PRIVATELY" || word == "PRIVATE") {
      links = &target.hides;
    } else if (word == "USES" || word == "PUBLIC" || word == "SOURCES") {
      links = &target.shows;
    } else {
      links->insert(word);
    }
  }
}

Targets targets_of(const std::vector<SourceFile>& files) {
  static const std::regex kComment("#[^\n]*");
  static const std::regex kCommand(
      R"(\b(ranktide_library|add_library|add_executable|target_link_libraries)\s*\(([^)]*)\))");
  Targets targets;
  for (const SourceFile& file : files) {
    if (!is_product(file.path) || !(file.path.ends_with("CMakeLists.txt") || file.path.ends_with(".cmake"))) {
      continue;
    }
    const std::string text = std::regex_replace(file.text, kComment, "");
    for (auto found = std::sregex_iterator(text.begin(), text.end(), kCommand); found != std::sregex_iterator();
         ++found) {
      add_command(file,
                  {.name = (*found)[1].str(),
                   .words = std::istringstream((*found)[2].str()),
                   .line = line_of(text, static_cast<std::size_t>(found->position()))},
                  targets);
    }
  }
  return targets;
}

// Returns: themselves, and what they are linked with as CMake passes it on.
Names linked_by(const Names& names, const Targets& targets) {
  Names linked;
  std::vector<std::string> open;
  for (const std::string& name : names) {
    const Target& target = targets.by_name.at(name);
    open.insert(open.end(), target.hides.begin(), target.hides.end());
    open.push_back(name);
  }
  while (!open.empty()) {
    const std::string name = open.back();
    open.pop_back();
    const auto found = targets.by_name.find(name);
    if (found != targets.by_name.end() && linked.insert(name).second) {
      open.insert(open.end(), found->second.shows.begin(), found->second.shows.end());
    }
  }
  return linked;
}

// A header without code of its name is everybody's in its folder.
Names targets_with(const std::string& path, const Targets& targets) {
  if (const auto owner = targets.owner.find(path); owner != targets.owner.end()) {
    return {owner->second};
  }
  Names names;
  for (const auto& [name, target] : targets.by_name) {
    if (target.folder == folder_of(path)) {
      names.insert(name);
    }
  }
  return names;
}

std::vector<Violation> forbidden_links(const Targets& targets) {
  std::vector<Violation> found;
  for (const auto& [name, target] : targets.by_name) {
    for (const std::string& other : linked_by({name}, targets)) {
      const std::string& folder = targets.by_name.at(other).folder;
      if (!may_include(target.folder + "/a.h", folder + "/b.h")) {
        found.push_back({target.declared_in, target.line,
                         name + " links " + other + ", but " + target.folder + " may not include " + folder});
      }
    }
  }
  return found;
}

std::vector<Violation> undeclared_links(const SourceFile& file, const Targets& targets) {
  const Names linked = linked_by(targets_with(file.path, targets), targets);
  std::vector<Violation> found;
  for (const Include& include : includes_of(file)) {
    const Names needed = targets_with(include.path, targets);
    if (!needed.empty() && std::none_of(needed.begin(), needed.end(),
                                        [&](const std::string& name) { return linked.contains(name); })) {
      found.push_back({file.path, include.line, include.path + " needs a link with " + *needed.begin()});
    }
  }
  return found;
}

}  // namespace

std::vector<Violation> check_targets(const std::vector<SourceFile>& files) {
  const Targets targets = targets_of(files);
  std::vector<Violation> found = forbidden_links(targets);
  for (const SourceFile& file : files) {
    if (is_cpp(file.path) && is_product(file.path)) {
      append(found, undeclared_links(file, targets));
    }
  }
  return found;
}

}  // namespace ranktide::tidy
