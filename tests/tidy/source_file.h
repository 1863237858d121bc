#pragma once
// One text file of the tree as the tidy rules see it. Not a compiler: C++ is told apart only into code,
// comments and strings, which is enough for rules about words and includes. Values; any thread.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace ranktide::tidy {

struct SourceFile {
  std::string path;  // relative to the root of the tree, with '/'
  std::string text;
  // Same length and line breaks as `text`; what does not belong is blanks. Only for C++ (elsewhere both equal
  // `text`).
  std::string code;      // without comments and the contents of strings
  std::string comments;  // comments only
};

// Returns: `text` taken apart. Also for samples that are on no disk.
SourceFile source_file(std::string path, std::string text);

// Returns: every text file under `root` that belongs to the repository, by path. What the build and bootstrap
// make (ignored by git) is left out, and so is what is too large to be source.
std::vector<SourceFile> read_tree(const std::filesystem::path& root);

struct Include {
  std::string path;  // as written, without the quotes or angle brackets
  int line = 0;      // from 1
};
std::vector<Include> includes_of(const SourceFile&);

bool is_cpp(std::string_view path);     // .cpp or .h
bool is_header(std::string_view path);  // .h
std::string folder_of(std::string_view path);
int line_of(std::string_view text, std::size_t offset);  // from 1

// A function at namespace level and the lines from its first to its closing brace.
struct Function {
  std::string name;
  std::string path;
  int line = 0;
  int lines = 0;
};
std::vector<Function> functions_of(const SourceFile&);

}  // namespace ranktide::tidy
