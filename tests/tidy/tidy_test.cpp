// The house rules over the tree as it is, and the same rules over samples with planted violations: a checker
// that finds nothing anywhere would pass the first and fail the second.

#include <algorithm>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iostream>
#include <map>
#include <regex>
#include <string>
#include <vector>

#include "tests/tidy/rules.h"
#include "tests/tidy/source_file.h"

namespace ranktide::tidy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::vector<SourceFile>& tree() {
  static const std::vector<SourceFile> kTree = read_tree(RANKTIDE_SOURCE_DIR);
  return kTree;
}

std::vector<std::string> texts(const std::vector<Violation>& violations) {
  std::vector<std::string> lines;
  for (const Violation& violation : violations) {
    lines.push_back(to_string(violation));
  }
  return lines;
}

template <class Check>
std::vector<std::string> found_in(Check check, const std::string& path, const std::string& text) {
  return texts(check(source_file(path, text)));
}

TEST(Tree, KeepsTheHouseRules) {
  for (const Violation& violation : check_tree(tree())) {
    ADD_FAILURE() << to_string(violation);
  }
}

TEST(Tree, WasReadWhole) {
  std::map<std::string, int> files_under;
  for (const SourceFile& file : tree()) {
    ++files_under[file.path.substr(0, file.path.find('/'))];
  }
  for (const char* part :
       {"common", "coordinator", "worker", "cli", "tests", "tools", "bootstrap", "README.md"}) {
    EXPECT_GT(files_under[part], 0) << part;
  }
}

TEST(Tree, ListsNoEdgeThatIsGone) {
  for (const std::string& path : listed_edges()) {
    EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(RANKTIDE_SOURCE_DIR) / path)) << path;
  }
}

template <class Item>
void print_longest(std::string_view what, std::vector<Item> items, std::string (*name)(const Item&)) {
  constexpr std::size_t kShown = 10;
  std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) { return a.lines > b.lines; });
  items.resize(std::min(items.size(), kShown));
  std::cout << "The longest " << what << " (shown, not judged):\n";
  for (const Item& item : items) {
    std::cout << "  " << item.lines << "  " << name(item) << '\n';
  }
}

struct FileLength {
  std::string path;
  int lines = 0;
};

TEST(Tree, ShowsItsLongestFilesAndFunctions) {
  std::vector<FileLength> files;
  std::vector<Function> functions;
  for (const SourceFile& file : tree()) {
    if (is_cpp(file.path)) {
      files.push_back({file.path, line_of(file.text, file.text.size()) - 1});
      const std::vector<Function> own = functions_of(file);
      functions.insert(functions.end(), own.begin(), own.end());
    }
  }
  print_longest<FileLength>("files", files, [](const FileLength& file) { return file.path; });
  print_longest<Function>("functions", functions, [](const Function& function) {
    return function.name + "  " + function.path + ":" + std::to_string(function.line);
  });
  EXPECT_GT(functions.size(), 100u);
}

const SourceFile& readme() {
  return *std::find_if(tree().begin(), tree().end(),
                       [](const SourceFile& file) { return file.path == "README.md"; });
}

TEST(Readme, ExplainsEveryWordOfTheGlossary) {
  const std::string words = readme().text.substr(readme().text.find("\n## Words\n"));
  for (const char* word :
       {"sweep", "block", "trial", "cell", "stage", "pack", "attempt", "lease", "worker", "slot", "base",
        "regime", "point", "eval", "score", "learning", "gain", "retained", "forgetting"}) {
    EXPECT_THAT(words, ::testing::ContainsRegex("\n\\|( [a-z]+,)? " + std::string(word) + "[ ,]")) << word;
  }
}

TEST(Readme, FitsInTwoHundredLines) {
  EXPECT_LE(line_of(readme().text, readme().text.size()) - 1, 200);
}

// README.md and the pages that it links to.
std::vector<SourceFile> pages() {
  std::vector<SourceFile> found;
  std::copy_if(tree().begin(), tree().end(), std::back_inserter(found), [](const SourceFile& file) {
    return file.path == "README.md" || (file.path.starts_with("docs/") && file.path.ends_with(".md"));
  });
  return found;
}

// Returns: what the first group of `pattern` matches in `text`.
std::vector<std::string> captures(const std::string& text, const std::regex& pattern) {
  std::vector<std::string> found;
  for (auto match = std::sregex_iterator(text.begin(), text.end(), pattern); match != std::sregex_iterator();
       ++match)
    found.push_back((*match)[1].str());
  return found;
}

TEST(Pages, NameOnlyFilesThatExist) {
  static const std::regex kNamed(
      "`((common|coordinator|worker|cli|tests|tools|sweeps|docs|deploy|docker)/[a-zA-Z0-9_./-]+)`");
  static const std::regex kLinked(R"(\]\(([^)#:]+)(#[^)]*)?\))");  // not of another site
  const std::filesystem::path root = RANKTIDE_SOURCE_DIR;
  int linked = 0;
  for (const SourceFile& page : pages()) {
    for (const std::string& path : captures(page.text, kNamed))
      EXPECT_TRUE(std::filesystem::exists(root / path)) << page.path << ": " << path;
    for (const std::string& path : captures(page.text, kLinked)) {
      EXPECT_TRUE(std::filesystem::exists((root / page.path).parent_path() / path))
          << page.path << ": " << path;
      ++linked;
    }
  }
  EXPECT_GE(linked, 4);
}

TEST(Pages, StateNoVersionOfTheDataThatAges) {
  for (const SourceFile& page : pages())
    EXPECT_THAT(captures(page.text, std::regex("(data version [0-9]+)")), IsEmpty()) << page.path;
}

TEST(Includes, CoordinatorAndWorkerNeverMeet) {
  EXPECT_THAT(found_in(check_includes, "coordinator/edge/shell.cpp", "#include \"worker/agent/agent.h\"\n"),
              ElementsAre(HasSubstr("shell.cpp:1: coordinator/edge may not include worker/agent/agent.h")));
  EXPECT_THAT(found_in(check_includes, "worker/daemon/link.h", "\n#include \"coordinator/core/state.h\"\n"),
              ElementsAre(HasSubstr("link.h:2:")));
}

TEST(Includes, ACoreSeesNoEdge) {
  EXPECT_THAT(found_in(check_includes, "coordinator/core/state.cpp", "#include \"coordinator/edge/store.h\"\n"),
              ElementsAre(HasSubstr("may not include coordinator/edge/store.h")));
  EXPECT_THAT(found_in(check_includes, "worker/agent/agent.h", "#include \"common/net/keys.h\"\n"),
              ElementsAre(HasSubstr("may not include common/net/keys.h")));
}

TEST(Includes, LibrariesStayWithTheirOwners) {
  EXPECT_THAT(found_in(check_includes, "cli/run.cpp", "#include <ATen/core/Tensor.h>\n"),
              ElementsAre(HasSubstr("LibTorch")));
  EXPECT_THAT(found_in(check_includes, "coordinator/core/state.h", "#include <sqlite3.h>\n"),
              ElementsAre(HasSubstr("SQLite")));
  EXPECT_THAT(found_in(check_includes, "common/sweep/grid.cpp", "#include <yaml-cpp/yaml.h>\n"),
              ElementsAre(HasSubstr("yaml-cpp")));
}

TEST(Includes, WhatTheTableAllowsPasses) {
  EXPECT_THAT(found_in(check_includes, "worker/trainer/train/trainer.cpp",
                       "#include <ATen/ATen.h>\n#include <vector>\n#include \"worker/trainer/lm/lora.h\"\n"
                       "#include \"worker/trainer/train/schedule.h\"\n#include \"common/model/shape.h\"\n"),
              IsEmpty());
}

TEST(Includes, AFolderOutsideTheTableIsNamed) {
  EXPECT_THAT(found_in(check_includes, "extra/thing.cpp", "#include \"common/vocabulary/ids.h\"\n"),
              ElementsAre(HasSubstr("extra may not include")));
}

TEST(Cores, HaveNoClockChanceEnvironmentOrThreads) {
  for (const char* line :
       {"std::chrono::steady_clock::now();", "std::random_device d;", "int x = rand();",
        "std::getenv(\"HOME\");", "std::unordered_map<int, int> m;", "#include <mutex>", "std::thread t;"}) {
    EXPECT_THAT(found_in(check_core_is_pure, "coordinator/core/state.cpp", line), ::testing::Not(IsEmpty()))
        << line;
    EXPECT_THAT(found_in(check_core_is_pure, "coordinator/edge/shell.cpp", line), IsEmpty()) << line;
  }
}

TEST(Cores, MaySpeakOfThreadsInCommentsAndNames) {
  EXPECT_THAT(
      found_in(check_core_is_pure, "worker/agent/agent.h",
               "// One thread; no mutex.\nint threads_per_slot = 1'000;\nauto text = \"steady_clock\";\n"),
      IsEmpty());
}

TEST(CatchAll, MustNotGoOn) {
  EXPECT_THAT(found_in(check_catch_all, "cli/a.cpp", "void f() {\n  try {} catch (...) { count(1); }\n}\n"),
              ElementsAre("cli/a.cpp:2: catch (...) that goes on"));
  EXPECT_THAT(found_in(check_catch_all, "cli/a.cpp", "try {} catch (...) { if (x) { close(); } throw; }"),
              IsEmpty());
}

TEST(Todo, NeedsAnIssue) {
  EXPECT_THAT(found_in(check_todo, "cli/a.cpp", "int x;  // TODO later\n"), ElementsAre(HasSubstr("a.cpp:1:")));
  EXPECT_THAT(found_in(check_todo, "tools/a.py", "# FIXME\n"), ElementsAre(HasSubstr("a.py:1:")));
  EXPECT_THAT(found_in(check_todo, "cli/a.cpp", "// TODO(#12): later\nauto word = \"TODO\";\n"), IsEmpty());
}

TEST(Header, SaysWhatItIsAndOpensNoNamespace) {
  EXPECT_THAT(found_in(check_header, "cli/a.h", "#pragma once\n// A thing.\nusing namespace std;\n"),
              ElementsAre(HasSubstr("a.h:3: in a header: using namespace std")));
  EXPECT_THAT(found_in(check_header, "cli/a.h", "#ifndef A\n"), ElementsAre(HasSubstr("#pragma once")));
  EXPECT_THAT(found_in(check_header, "cli/a.h", "#pragma once\n#include <a>\n"),
              ElementsAre(HasSubstr("what it is")));
}

TEST(BareCheck, BelongsToLibTorch) {
  EXPECT_THAT(found_in(check_bare_check, "cli/a.cpp", "CHECK(x);\nCHECK_EQ(a, b);\nRT_CHECK(x);\n"),
              ElementsAre(HasSubstr("a.cpp:1:"), HasSubstr("a.cpp:2:")));
}

TEST(MachinePaths, AreFoundInAnyFile) {
  const std::string path = std::string("/ho") + "me/somebody/x";
  EXPECT_THAT(found_in(check_machine_paths, "README.md", "see " + path + "\n"),
              ElementsAre(HasSubstr("README.md:1:")));
  EXPECT_THAT(found_in(check_machine_paths, "README.md", "common/work/x ./root/x worker/agent/x\n"), IsEmpty());
}

TEST(HasTest, AFamilySharesTheTestOfItsHeader) {
  const SourceFile test = source_file("tests/a/store_test.cpp", "#include \"a/store.h\"\n");
  const SourceFile member = source_file("a/store_sql.cpp", "");
  EXPECT_THAT(check_has_test({test, member}), IsEmpty());
  EXPECT_THAT(texts(check_has_test({test, member, source_file("a/other.cpp", "")})),
              ElementsAre("a/other.cpp:1: no test reaches it and it is no listed edge"));
}

TEST(HasTest, APartIsTestedThroughItsFrontInTheSameFolderOnly) {
  const SourceFile test = source_file("tests/a/front_test.cpp", "#include \"a/front.h\"\n");
  const SourceFile front =
      source_file("a/front.cpp", "#include \"a/front.h\"\n#include \"a/part.h\"\n#include \"b/far.h\"\n");
  EXPECT_THAT(texts(check_has_test({test, front, source_file("a/part.cpp", ""), source_file("b/far.cpp", "")})),
              ElementsAre(HasSubstr("b/far.cpp")));
}

TEST(SourceFile, TellsCodeCommentsAndStringsApart) {
  const SourceFile file =
      source_file("a.cpp", "int a = 1'000; // note\nauto s = \"// no\"; auto r = R\"(x\n\")\"; /* b */");
  EXPECT_EQ(file.code, "int a = 1'000;        \nauto s =        ; auto r =     \n   ;        ");
  EXPECT_EQ(file.comments.substr(15, 7), "// note");
  EXPECT_THAT(file.comments, HasSubstr("/* b */"));
}

TEST(SourceFile, MeasuresFunctions) {
  const std::vector<Function> functions = functions_of(source_file(
      "a.cpp",
      "namespace a {\nstruct S {\n  int x;\n};\nint first(int a,\n          int b) {\n  return a;\n}\n"
      "void Type::second() const {\n}\nclass C {\n public:\n  C() {\n    if (x) {\n    }\n  }\n};\n}  // "
      "namespace a\n"));
  ASSERT_EQ(functions.size(), 3u);
  EXPECT_EQ(functions[0].name, "first");
  EXPECT_EQ(functions[0].lines, 4);
  EXPECT_EQ(functions[1].name, "Type::second");
  EXPECT_EQ(functions[1].line, 9);
  EXPECT_EQ(functions[2].name, "C");
  EXPECT_EQ(functions[2].lines, 4);
}

}  // namespace
}  // namespace ranktide::tidy
