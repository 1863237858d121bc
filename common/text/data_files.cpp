#include "common/text/data_files.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>

#include "common/vocabulary/sha256.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;

constexpr size_t kBeginningBytes = 4096;  // tells rows from text
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr const char* kEndings = ".txt .md .rst .py (text), .jsonl .json (rows)";

std::optional<FileKind> known_kind(const fs::path& file) {
  static constexpr std::array kText{".txt", ".md", ".rst", ".py"};
  const std::string ending = file.extension().string();
  if (ending == ".jsonl" || ending == ".json") return FileKind::json_rows;
  if (std::find(kText.begin(), kText.end(), ending) != kText.end()) return FileKind::text;
  return std::nullopt;
}

// Requires: `text` begins at line `first_line` of the file.
Json parse_object_or_array(const fs::path& file, std::string_view text, size_t first_line) {
  try {
    return Json::parse(text.begin(), text.end());
  } catch (const Json::parse_error& e) {
    const std::string_view before = text.substr(0, std::min(text.size(), e.byte > 0 ? e.byte - 1 : 0));
    const auto lines = static_cast<size_t>(std::count(before.begin(), before.end(), '\n'));
    const size_t line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
    throw DataError(file.string() + ":" + std::to_string(first_line + lines) + ":" +
                    std::to_string(before.size() - line_start + 1) +
                    ": malformed JSON; a .jsonl file has one complete object on each line");
  }
}

std::vector<JsonRow> rows_of_array(const fs::path& file, const std::string& text) {
  std::vector<JsonRow> rows;
  for (Json& value : parse_object_or_array(file, text, 1))
    rows.push_back({std::move(value), file.string() + ": row " + std::to_string(rows.size() + 1)});
  return rows;
}

std::vector<JsonRow> rows_of_lines(const fs::path& file, std::string_view text) {
  std::vector<JsonRow> rows;
  size_t number = 0;
  while (!text.empty()) {
    ++number;
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    rows.push_back(
        {parse_object_or_array(file, line, number), file.string() + ":" + std::to_string(number) + ":1"});
  }
  return rows;
}

}  // namespace

FileKind kind_of(const fs::path& file) {
  if (const auto kind = known_kind(file)) return *kind;
  throw DataError(file.string() + ": the name's ending says nothing about its kind; known are " + kEndings +
                  ": rename it, or convert it to one of them");
}

FileKind kind_of_content(std::string_view beginning) {
  if (beginning.starts_with(kByteOrderMark)) beginning.remove_prefix(kByteOrderMark.size());
  const auto take = [&](char wanted) {
    beginning.remove_prefix(std::min(beginning.find_first_not_of(" \t\r\n"), beginning.size()));
    const bool is_there = beginning.starts_with(wanted);
    if (is_there) beginning.remove_prefix(1);
    return is_there;
  };
  (void)take('[');  // a list or not, what counts is an object
  return take('{') && take('"') ? FileKind::json_rows : FileKind::text;
}

FileKind kind_by_content(const fs::path& file) {
  std::string beginning(kBeginningBytes, '\0');
  std::ifstream in(file, std::ios::binary);
  in.read(beginning.data(), static_cast<std::streamsize>(beginning.size()));
  beginning.resize(static_cast<size_t>(in.gcount()));
  return kind_of_content(beginning);
}

std::vector<fs::path> data_files(const fs::path& path) {
  if (!fs::exists(path))
    throw DataError(path.string() + ": no such file or folder; check the path in the sweep file");
  if (!fs::is_directory(path)) return {path};
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(path))
    if (entry.is_regular_file() && known_kind(entry.path())) files.push_back(entry.path());
  if (files.empty())
    throw DataError(path.string() + ": the folder holds no data file; known endings are " + kEndings);
  std::sort(files.begin(), files.end());
  return files;
}

std::optional<FileKind> kind_by_name_alone(const fs::path& file) {
  const FileKind kind = kind_of(file);
  return kind_by_content(file) == kind ? std::nullopt : std::optional(kind);
}

std::string data_sha256(const fs::path& path) {
  Sha256 sha;
  for (const fs::path& file : data_files(path)) {
    sha.update(sha256_of_file(file));
    if (const auto kind = kind_by_name_alone(file)) sha.update(" as " + std::string(text_of(*kind)));
  }
  return sha.hex();
}

std::string read_text(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  if (in && in.peek() != std::ifstream::traits_type::eof()) text << in.rdbuf();
  if (!in.is_open() || in.bad() || text.fail())
    throw DataError(file.string() + ": cannot be read (" + std::strerror(errno) +
                    "); check that it is a readable file");
  return text.str();
}

std::vector<JsonRow> read_json_rows(const fs::path& file) {
  const std::string text = read_text(file);
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos)
    throw DataError(file.string() + ": has no rows; write one JSON object a line");
  std::vector<JsonRow> rows = text[begin] == '[' ? rows_of_array(file, text) : rows_of_lines(file, text);
  if (rows.empty()) throw DataError(file.string() + ": has no rows; write one JSON object a line");
  for (const JsonRow& row : rows)
    if (!row.value.is_object())
      throw DataError(row.where + ": a row must be a JSON object with named fields, this is " +
                      row.value.type_name());
  return rows;
}

std::string text_field(const JsonRow& row, const std::string& name) {
  const auto field = row.value.find(name);
  if (field == row.value.end())
    throw DataError(row.where + ": the field \"" + name +
                    "\" is missing; every row of a file has the fields of its first row");
  if (!field->is_string())
    throw DataError(row.where + ": the field \"" + name + "\" must be text, it is " + field->type_name());
  return field->get<std::string>();
}

}  // namespace ranktide
