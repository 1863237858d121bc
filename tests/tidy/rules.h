#pragma once
// The house rules that a machine can check, each a pure function of the files. Not style (clang-format) and not
// lengths: those are printed, never judged. Any thread.

#include <string>
#include <string_view>
#include <vector>

#include "tests/tidy/source_file.h"

namespace ranktide::tidy {

struct Violation {
  std::string path;
  int line = 0;
  std::string what;
};
std::string to_string(const Violation&);
void append(std::vector<Violation>& to, std::vector<Violation> from);

// Who may include whom, and which folder owns which library: the two tables in include_rules.cpp.
std::vector<Violation> check_includes(const SourceFile&);
bool may_include(std::string_view path, std::string_view include);

// The same in CMake, with tests/, bench/, tools/ and cmake/ left out: no target links, itself or through
// others, one whose folder its own may not include, and no file includes a header of a target that its own does
// not link. A header without a .cpp of its name asks for any target of its folder.
std::vector<Violation> check_targets(const std::vector<SourceFile>&);

// The cores (coordinator/core, worker/agent) have no clock, chance, environment, hash order or threads.
std::vector<Violation> check_core_is_pure(const SourceFile&);

// A catch (...) ends the process or passes the exception on.
std::vector<Violation> check_catch_all(const SourceFile&);

// Work that is left over has an issue: TODO(#12).
std::vector<Violation> check_todo(const SourceFile&);

// Headers: #pragma once, then a comment that says what this is; no `using namespace`.
std::vector<Violation> check_header(const SourceFile&);

// CHECK belongs to c10; ours is RT_CHECK.
std::vector<Violation> check_bare_check(const SourceFile&);

// No path of one person's machine.
std::vector<Violation> check_machine_paths(const SourceFile&);

// Every .cpp is reached by a test: the test includes its header or that of its family (store.h for
// store_sql.cpp), or the header of a file in the same folder that includes it (a part that is tested through
// its front). Anything else stands in the list of edges in test_rules.cpp, with what tests it instead.
std::vector<Violation> check_has_test(const std::vector<SourceFile>&);
std::vector<std::string> listed_edges();

// All of the above.
std::vector<Violation> check_tree(const std::vector<SourceFile>&);

}  // namespace ranktide::tidy
