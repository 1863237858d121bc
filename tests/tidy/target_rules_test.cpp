// Planted disagreements between CMake's links and the includes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/tidy/rules.h"

namespace ranktide::tidy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

SourceFile text_target(const std::string& links) {
  return source_file("common/text/CMakeLists.txt",
                     "# Says (nothing) of ranktide_library(x SOURCES y.cpp).\n"
                     "ranktide_library(ranktide_text\n  SOURCES rows.cpp\n  " +
                         links + ")\n");
}

std::vector<std::string> found_in_tree(std::vector<SourceFile> files) {
  files.push_back(source_file("common/vocabulary/CMakeLists.txt",
                              "ranktide_library(ranktide_vocabulary SOURCES wire.cpp)\n"));
  files.push_back(
      source_file("common/net/CMakeLists.txt",
                  "ranktide_library(ranktide_net SOURCES keys.cpp USES ranktide_vocabulary PRIVATELY zmq)\n"));
  std::vector<std::string> lines;
  for (const Violation& violation : check_targets(files)) {
    lines.push_back(to_string(violation));
  }
  return lines;
}

TEST(TargetLinks, AreWhatTheIncludeTableAllows) {
  EXPECT_THAT(
      found_in_tree({text_target("USES ranktide_vocabulary PRIVATELY ranktide_net")}),
      ElementsAre("common/text/CMakeLists.txt:2: ranktide_text links ranktide_net, but common/text may not "
                  "include common/net"));
  EXPECT_THAT(
      found_in_tree(
          {text_target("USES ranktide_vocabulary"), source_file("common/text/more.cmake",
                                                                "target_link_libraries(ranktide_text PUBLIC "
                                                                "ranktide_net)\n")}),
      ElementsAre("common/text/CMakeLists.txt:2: ranktide_text links ranktide_net, but common/text may not "
                  "include common/net"));
  EXPECT_THAT(found_in_tree({text_target("PRIVATELY ranktide_vocabulary")}), IsEmpty());
}

TEST(TargetLinks, AreDeclaredForWhatItsFilesInclude) {
  const SourceFile rows =
      source_file("common/text/rows.cpp", "#include <zmq.h>\n#include \"common/vocabulary/wire.h\"\n");
  EXPECT_THAT(
      found_in_tree({text_target("PRIVATELY pcre2"), rows}),
      ElementsAre("common/text/rows.cpp:2: common/vocabulary/wire.h needs a link with ranktide_vocabulary"));
  EXPECT_THAT(found_in_tree({text_target("PRIVATELY ranktide_vocabulary"), rows}), IsEmpty());
}

TEST(TargetLinks, ArePassedOnByWhatHeadersShowOnly) {
  const auto core_on = [](const std::string& links_of_sweep) {
    return std::vector<SourceFile>{
        source_file("common/sweep/CMakeLists.txt",
                    "ranktide_library(ranktide_sweep SOURCES grid.cpp " + links_of_sweep + ")\n"),
        source_file("coordinator/core/CMakeLists.txt",
                    "ranktide_library(ranktide_core SOURCES state.cpp USES ranktide_sweep)\n"),
        source_file("coordinator/core/facts.h", "#include \"common/vocabulary/ids.h\"\n")};
  };
  EXPECT_THAT(found_in_tree(core_on("USES ranktide_vocabulary")), IsEmpty());
  EXPECT_THAT(found_in_tree(core_on("PRIVATELY ranktide_vocabulary")),
              ElementsAre("coordinator/core/facts.h:1: common/vocabulary/ids.h needs a link with "
                          "ranktide_vocabulary"));
}

TEST(TargetLinks, AreNoneWithAProgram) {
  EXPECT_THAT(found_in_tree({source_file("cli/CMakeLists.txt",
                                         "ranktide_library(ranktide_cli SOURCES inputs.cpp)\n"
                                         "add_executable(ranktide version.cpp)\n"
                                         "target_link_libraries(ranktide PRIVATE ranktide_cli)\n"),
                             source_file("cli/inputs.cpp", "#include \"cli/version.h\"\n"),
                             source_file("cli/version.cpp", "#include \"cli/inputs.h\"\n")}),
              IsEmpty());
}

TEST(TargetLinks, KeepTheTargetsOfOneFolderApart) {
  EXPECT_THAT(
      found_in_tree({source_file("coordinator/edge/CMakeLists.txt",
                                 "ranktide_library(ranktide_store SOURCES store.cpp)\n"
                                 "ranktide_library(ranktide_http SOURCES api.cpp USES ranktide_store)\n"),
                     source_file("coordinator/edge/api.h", "#include \"coordinator/edge/store.h\"\n"),
                     source_file("coordinator/edge/store.cpp", "#include \"coordinator/edge/api.h\"\n")}),
      ElementsAre("coordinator/edge/store.cpp:1: coordinator/edge/api.h needs a link with ranktide_http"));
}

}  // namespace
}  // namespace ranktide::tidy
