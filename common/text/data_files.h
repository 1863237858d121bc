#pragma once
// Data files as they lie on disk: which files a path means, their text, their JSON rows with places for
// messages. Knows no documents and no tokens. Free functions; any thread.

#include <array>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "common/vocabulary/wire.h"

namespace ranktide {

// A data file that cannot be used: `file:line:column: what; what to do`.
struct DataError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class FileKind { text, json_rows };
template <>
struct EnumTexts<FileKind> {  // in ids
  static constexpr std::array texts{"text", "rows"};
};

// Returns: what the name's ending says: .jsonl .json are rows; .txt .md .rst .py text.
// Throws: DataError for every other ending.
FileKind kind_of(const std::filesystem::path& file);

// Returns: what the content says where no name does: rows when it begins with an object that has a field, or
// with a list of objects; else text. A byte order mark says nothing.
FileKind kind_of_content(std::string_view beginning);

// Returns: what the content of a file says. Of one that cannot be read: text.
FileKind kind_by_content(const std::filesystem::path& file);

// Returns: the files that a path stands for, in reading order: itself, or the known files below a folder, by
// name. Throws: DataError when there is none.
std::vector<std::filesystem::path> data_files(const std::filesystem::path& path);

// Returns: the kind of a file, where its name's ending says another one than its content does: only there a
// name changes what is read. nullopt: both say the same. Throws: DataError as kind_of.
std::optional<FileKind> kind_by_name_alone(const std::filesystem::path& file);

// Returns: SHA-256 over the content of every file in order, and its kind_by_name_alone. Else names and places
// do not enter. Throws: DataError.
std::string data_sha256(const std::filesystem::path& path);

// Throws: DataError.
std::string read_text(const std::filesystem::path& file);

struct JsonRow {
  Json value;         // an object
  std::string where;  // "file:line:1" or, in a file that is one array, "file: row 7"
};

// Returns: one object a line (blank lines are passed over), or the objects of a file that is one JSON array.
// Throws: DataError with file:line:column; also for a file without rows.
std::vector<JsonRow> read_json_rows(const std::filesystem::path& file);

// Returns: the text of a field. Throws: DataError when it is absent or no text.
std::string text_field(const JsonRow& row, const std::string& name);

}  // namespace ranktide
