#include "tests/tidy/source_file.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <iterator>
#include <optional>
#include <regex>
#include <utility>

namespace ranktide::tidy {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kSourceBytesMax = 400'000;
constexpr std::array kMadeFolders = {".git", ".env",   "build",  "bin",         "models", "data",
                                     "runs", ".cache", "vendor", "__pycache__", "golden"};
constexpr std::array kTextEndings = {".cpp", ".h",    ".py",  ".sh",   ".cmake", ".txt",
                                     ".md",  ".yaml", ".yml", ".json", ".js",    ".html"};
constexpr std::array kTextNames = {"bootstrap", "run", "Dockerfile"};

// Where `text`, read as C++, goes on at `at`: one past the end of the comment, string or character that begins
// there.
enum class Piece { code, comment, quoted };
struct Extent {
  Piece piece = Piece::code;
  std::size_t end = 0;
};

std::size_t end_after(std::string_view text, std::string_view mark, std::size_t from) {
  const std::size_t found = text.find(mark, from);
  return found == std::string_view::npos ? text.size() : found + mark.size();
}

std::size_t end_of_quoted(std::string_view text, std::size_t at) {
  const char quote = text[at];
  std::size_t i = at + 1;
  while (i < text.size() && text[i] != quote && text[i] != '\n') {
    i += text[i] == '\\' ? 2 : 1;
  }
  return std::min(i + 1, text.size());
}

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

Extent extent_at(std::string_view text, std::size_t at) {
  const std::string_view rest = text.substr(at);
  if (rest.starts_with("//")) {
    return {Piece::comment, std::min(text.find('\n', at), text.size())};
  }
  if (rest.starts_with("/*")) {
    return {Piece::comment, end_after(text, "*/", at + 2)};
  }
  if (rest.starts_with("R\"")) {
    const std::size_t open = text.find('(', at);
    const std::string close = ")" + std::string(text.substr(at + 2, open - at - 2)) + "\"";
    return {Piece::quoted, end_after(text, close, open)};
  }
  const bool separates_digits = rest[0] == '\'' && at > 0 && is_word(text[at - 1]);
  if (rest[0] == '"' || (rest[0] == '\'' && !separates_digits)) {
    return {Piece::quoted, end_of_quoted(text, at)};
  }
  return {Piece::code, at + 1};
}

void copy_except_line_breaks(std::string_view from, std::size_t begin, std::size_t end, std::string& to) {
  for (std::size_t i = begin; i < end; ++i) {
    to[i] = from[i];
  }
}

bool is_text(const fs::path& path) {
  const std::string name = path.filename().string();
  const std::string ending = path.extension().string();
  return std::find(kTextEndings.begin(), kTextEndings.end(), ending) != kTextEndings.end() ||
         std::find(kTextNames.begin(), kTextNames.end(), name) != kTextNames.end();
}

bool is_made(const fs::path& folder) {
  return std::find(kMadeFolders.begin(), kMadeFolders.end(), folder.filename().string()) != kMadeFolders.end();
}

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

// The lines since the last one that ended a statement or a block.
struct Signature {
  std::string text;
  std::size_t indent = 0;
  int line = 0;

  void add(const std::string& more, std::size_t more_indent, int more_line) {
    if (text.empty()) {
      indent = more_indent;
      line = more_line;
    }
    text += more + ' ';
  }
};

std::optional<std::string> function_name(const std::string& signature) {
  static const std::regex kNoFunction(
      R"(^(namespace|struct|class|enum|union|using|#|\}|extern|(static )?const(expr)? .* k[A-Z]).*)");
  static const std::regex kName(R"(([\w:~]+|operator[^\s(]+)\s*\()");
  std::smatch match;
  if (std::regex_match(signature, kNoFunction) || !std::regex_search(signature, match, kName)) {
    return std::nullopt;
  }
  return match[1].str();
}

}  // namespace

SourceFile source_file(std::string path, std::string text) {
  if (!is_cpp(path)) {
    return {std::move(path), text, text, text};
  }
  std::string blank = text;
  std::replace_if(
      blank.begin(), blank.end(), [](char c) { return c != '\n'; }, ' ');
  SourceFile file{std::move(path), std::move(text), blank, blank};
  for (std::size_t at = 0; at < file.text.size();) {
    const Extent extent = extent_at(file.text, at);
    if (extent.piece != Piece::quoted) {
      copy_except_line_breaks(file.text, at, extent.end,
                              extent.piece == Piece::code ? file.code : file.comments);
    }
    at = extent.end;
  }
  return file;
}

std::vector<SourceFile> read_tree(const fs::path& root) {
  std::vector<SourceFile> files;
  for (auto entry = fs::recursive_directory_iterator(root); entry != fs::recursive_directory_iterator();
       ++entry) {
    if (entry->is_directory() && is_made(entry->path())) {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file() && is_text(entry->path()) && entry->file_size() <= kSourceBytesMax) {
      files.push_back(
          source_file(entry->path().lexically_relative(root).generic_string(), read_text(entry->path())));
    }
  }
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return files;
}

std::vector<Include> includes_of(const SourceFile& file) {
  static const std::regex kInclude(R"(^\s*#\s*include\s*["<]([^">]+)[">].*)");
  std::vector<Include> includes;
  int number = 0;
  const std::vector<std::string> code = lines_of(file.code);
  for (const std::string& line : lines_of(file.text)) {
    std::smatch match;
    const bool is_code = code[static_cast<std::size_t>(number++)].find("include") != std::string::npos;
    if (is_code && std::regex_match(line, match, kInclude)) {
      includes.push_back({match[1].str(), number});
    }
  }
  return includes;
}

bool is_header(std::string_view path) {
  return path.ends_with(".h");
}
bool is_cpp(std::string_view path) {
  return path.ends_with(".cpp") || is_header(path);
}
std::string folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash));
}
int line_of(std::string_view text, std::size_t offset) {
  return 1 +
         static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(offset), '\n'));
}

std::vector<Function> functions_of(const SourceFile& file) {
  std::vector<Function> functions;
  const std::vector<std::string> lines = lines_of(file.code);
  Signature signature;
  std::optional<Function> open;
  for (int i = 0; i < static_cast<int>(lines.size()); ++i) {
    const std::string& line = lines[static_cast<std::size_t>(i)];
    const std::size_t indent = line.find_first_not_of(' ');
    if (indent == std::string::npos) {
      continue;
    }
    if (open) {
      if (indent <= signature.indent && line[indent] == '}') {
        open->lines = i - open->line + 2;
        functions.push_back(*std::exchange(open, std::nullopt));
        signature = {};
      }
      continue;
    }
    signature.add(line.substr(indent), indent, i + 1);
    if (line.back() == '{') {
      if (const auto name = function_name(signature.text)) {
        open = Function{*name, file.path, signature.line, 0};
        continue;
      }
    }
    if (std::string_view("{};:").find(line[line.find_last_not_of(' ')]) != std::string_view::npos) {
      signature = {};
    }
  }
  return functions;
}

}  // namespace ranktide::tidy
