// What README.md and docs/*.md say of commands is so: options exist where they are named, and README's
// questions are answered.

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <regex>
#include <sstream>

#include "tests/e2e/tiny_world.h"

namespace ranktide::e2e {
namespace {

using testing::HasSubstr;

namespace fs = std::filesystem;

// README.md and docs/*.md, by path.
std::map<std::string, std::string> pages() {
  const fs::path root = RANKTIDE_SOURCE_DIR;
  std::map<std::string, std::string> out{{"README.md", read_text(root / "README.md")}};
  for (const auto& entry : fs::directory_iterator(root / "docs"))
    if (entry.path().extension() == ".md") out[entry.path().filename()] = read_text(entry.path());
  return out;
}

// Returns: the text's lines, those that a backslash ends joined with the next.
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(std::regex_replace(text, std::regex(R"(\\\n\s*)"), " "));
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

// A command of ranktide as a page writes it: its words up to what ends it for a shell or for a reader.
std::vector<std::string> commands_in(const std::string& line) {
  static const std::regex kCommand(R"((?:^|[^\w./-])(?:bin/)?ranktide ((?:[^`#;&>|]|\w\|\w)+))");
  std::vector<std::string> out;
  for (auto at = std::sregex_iterator(line.begin(), line.end(), kCommand); at != std::sregex_iterator(); ++at)
    out.push_back((*at)[1].str());
  return out;
}

std::vector<std::string> options_in(const std::string& text) {
  static const std::regex kOption(R"((?:^|[\s`(])(--[a-z][a-z-]*))");
  std::vector<std::string> out;
  for (auto at = std::sregex_iterator(text.begin(), text.end(), kOption); at != std::sregex_iterator(); ++at)
    out.push_back((*at)[1].str());
  return out;
}

class Docs : public testing::Test {
 protected:
  Docs() {
    const fs::path folder = fs::path(testing::TempDir()) / ("docs_test." + std::to_string(getpid()));
    run({ranktide_program().string(), "man-pages", folder.string()}, folder / "output");
    for (const auto& entry : fs::directory_iterator(folder))
      if (entry.path().extension() == ".1") {
        // man writes \fB\-\-json\fR
        const std::string text = std::regex_replace(read_text(entry.path()), std::regex(R"(\\f[A-Z])"), " ");
        manual_[entry.path().stem()] = std::regex_replace(text, std::regex(R"(\\)"), "");
      }
    fs::remove_all(folder);
  }

  // Returns: the page of the longest beginning of `words` that is a command.
  std::string manual_of(const std::string& words) const {
    std::istringstream in(words);
    std::string name = "ranktide", page;
    for (std::string word; in >> word && manual_.contains(name + "-" + word);) name += "-" + word;
    return name == "ranktide" ? "" : manual_.at(name);
  }
  bool is_anywhere(const std::string& option) const {
    return std::any_of(manual_.begin(), manual_.end(),
                       [&](const auto& page) { return has(page.second, option); });
  }
  static bool has(const std::string& page, const std::string& option) {
    return std::regex_search(page, std::regex(option + "(?![a-z-])"));
  }

  std::map<std::string, std::string> manual_;  // by name: ranktide-worker-drain
};

TEST_F(Docs, NameOptionsThatTheirCommandHas) {
  int checked = 0;
  for (const auto& [page, text] : pages())
    for (const std::string& line : lines_of(text))
      for (const std::string& command : commands_in(line)) {
        const std::string manual = manual_of(command);
        const std::string own =
            command.substr(0, command.find(" -- "));  // beyond it they are another command's
        for (const std::string& option : options_in(own)) {
          if (manual.empty()) continue;
          EXPECT_TRUE(has(manual, option)) << page << ": " << line << "\n" << option;
          ++checked;
        }
      }
  EXPECT_GT(checked, 15);
}

TEST_F(Docs, NameOptionsAloneOnlyWhereSomeCommandHasThem) {
  static const std::regex kAlone(R"(`(--[a-z][a-z-]*)[^`]*`)");
  int checked = 0;
  for (const auto& [page, text] : pages())
    for (auto at = std::sregex_iterator(text.begin(), text.end(), kAlone); at != std::sregex_iterator(); ++at) {
      const std::string option = (*at)[1].str();
      EXPECT_TRUE(is_anywhere(option) || option == "--help") << page << ": " << option;
      ++checked;
    }
  EXPECT_GT(checked, 5);
}

// Returns: the lines of README's block of results.
std::vector<std::string> questions_of_the_readme() {
  const std::string text = read_text(fs::path(RANKTIDE_SOURCE_DIR) / "README.md");
  const size_t begin = text.find("```\n", text.find("\n## Results\n")) + 4;
  return lines_of(text.substr(begin, text.find("```", begin) - begin));
}

// Returns: a line of README, asked about this world's sweep.
std::string asked_here(std::string line, const TinyWorld& world) {
  const std::string program = ranktide_program().string();
  line = std::regex_replace(line, std::regex("^bin/ranktide (\\w+)"),
                            program + " $1 --data-dir " + world.data().string());
  line = std::regex_replace(line, std::regex("~/\\.local/share/ranktide"), world.data().string());
  line = std::regex_replace(line, std::regex("quickstart"), "tiny");
  return std::regex_replace(line, std::regex("-o report\\.html"),
                            "-o " + (world.folder() / "readme.html").string());
}

TEST_F(Docs, TheQuestionsOfTheReadmeAreAnswered) {
  const TinyWorld world;
  ASSERT_EQ(world.ranktide({"run", world.sweep().string()}).exit_code, 0);
  const bool has_sqlite = fs::exists("/usr/bin/sqlite3");
  int asked = 0;
  for (const std::string& line : questions_of_the_readme()) {
    if (line.find(" | ") != std::string::npos) continue;  // a list of words, not a line for a shell
    if (line.starts_with("sqlite3") && !has_sqlite) continue;
    const Ended ended = run({"/bin/sh", "-c", asked_here(line, world)}, world.folder() / "readme");
    EXPECT_EQ(ended.exit_code, 0) << line << "\n" << ended.err;
    EXPECT_NE(ended.out, "") << line;
    ++asked;
  }
  EXPECT_GE(asked, 3);
  EXPECT_THAT(read_text(world.folder() / "readme.html"), HasSubstr("<svg"));
}

}  // namespace
}  // namespace ranktide::e2e
