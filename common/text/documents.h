#pragma once
// Data files -> documents: which text is context, which is learned, and where a template's control tokens
// stand. Reads .txt and other text files, .jsonl, .json and folders of them; knows nothing of token ids or rows
// (rows.h). Free functions; any thread.
//
// Files of text (.txt .md .rst .py): a file is one document, or several when it has lines that are exactly
//   <|endoftext|>; then the pieces between are documents, without the white space at their ends.
// JSON rows, one object a line (.jsonl), or one array of objects or a line each (.json). The kind is found per
// file:
//   messages  a list of {role, content}
//   prompt    two fields: prompt + completion | response, question + answer, instruction (+ input) + output |
//   response,
//             problem | query + solution | answer | response, context + continuation
//   text      one field: text | content | story
//   `data.fields` names them where they are called otherwise.
// Form (data.template) of prompt rows:
//   auto      prompt and completion as they stand, then eos. The pair prompt + completion | response is joined
//   with
//             nothing between (as TRL and llm-foundry do), context + continuation with a space, every other
//             pair with a newline. Never doubled: white space that is there already on either side is kept and
//             nothing is added.
//   chat      a user and an assistant turn of the tokenizer's chat template (chat.h)
//   a text    with {prompt} and {completion}; eos follows. {{ and }} are not escapes: other braces stand for
//   themselves.
// Messages always use the chat template.

#include <cstdint>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "common/text/tokenizer.h"
#include "common/vocabulary/trial.h"

namespace ranktide {

// A data file that cannot be used: `file:line:column: what; what to do`.
struct DataError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class SpanKind {
  control,  // a special token of the template or the tokenizer, by its exact text
  text,     // user or template text: special tokens in it are spelled out
};

struct Span {
  std::string text;
  SpanKind kind = SpanKind::text;
  bool learned = false;  // whether its tokens are targets when prompts are masked
};

enum class DocumentKind {
  plain,    // running text: may be cut anywhere into rows
  example,  // prompt and completion: never cut in two, shortened when longer than a row
};

struct Document {
  DocumentKind kind = DocumentKind::plain;
  std::vector<Span> spans;
};

struct Documents {
  std::vector<Document> items;
  std::string format;  // for people: "text", "prompt (question + answer)", "messages"
};

// Returns: the files that a path stands for, in reading order: itself, or the known files below a folder, by
// name. Throws: DataError when there is none.
std::vector<std::filesystem::path> data_files(const std::filesystem::path& path);

// Returns: SHA-256 over the content of every file in order. Names and places do not enter.
std::string data_sha256(const std::filesystem::path& path);

// How the rows of a file are to be read.
struct ReadingRules {
  DataFormat format = DataFormat::automatic;
  std::map<std::string, std::string> fields;  // role (prompt, completion, text, messages) -> JSON field name
  std::string form = "auto";
};

// Returns: the documents of a file or folder, in order. Empty documents are left out.
// Throws: DataError with file:line:column and remedy.
Documents read_documents(const std::filesystem::path& path, const ReadingRules&, const Tokenizer&);

// One document in tokens; learned[i] says whether token i is a target when prompts are masked.
struct EncodedDocument {
  DocumentKind kind = DocumentKind::plain;
  std::vector<int32_t> tokens;
  std::vector<uint8_t> learned;
};

// Neighbouring text spans are encoded together, as Hugging Face encodes the rendered whole. Where a token
// straddles the border of context and learned text, it counts as learned. Puts bos in front where the
// tokenizer's family does.
EncodedDocument encode_document(const Document&, const Tokenizer&);

}  // namespace ranktide
