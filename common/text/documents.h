#pragma once
// Data files -> documents: which text is context, which is learned, where a template's control tokens stand.
// Reads text files, .jsonl, .json and folders of them. Knows nothing of rows (rows.h). Free functions; any
// thread.
//
// Files of text (.txt .md .rst .py): a file is one document, or several when it has lines that are exactly
//   <|endoftext|>: then the pieces between them, without the white space at their ends.
// Rows of JSON, one object a line (.jsonl), or one array of objects or a line each (.json). Kinds, found per
// file:
//   messages  a list of {role, content}; always rendered by the chat template
//   prompt    two fields: prompt and completion or response; question and answer; instruction (and input) and
//             output or response; problem and solution or answer; query and response or answer; context and
//             continuation
//   text      one field: text, content or story
//   `data.fields` names them where they are called otherwise.
// Form (data.template) of prompt rows:
//   auto      prompt and completion as they stand, then eos. Nothing is put between the pair prompt and
//             completion or response (as TRL and llm-foundry do), a space between context and continuation, a
//             newline between every other pair; nothing where white space stands at the border already.
//   chat      a user and an assistant turn of the tokenizer's chat template (chat.h)
//   a text    with {prompt} and {completion} (prompt_form.h), then eos

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "common/text/chat.h"
#include "common/text/data_files.h"
#include "common/text/span.h"
#include "common/text/tokenizer.h"
#include "common/vocabulary/trial.h"

namespace ranktide {

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

// How the rows of a file are to be read.
struct ReadingRules {
  DataFormat format = DataFormat::automatic;
  std::map<std::string, std::string> fields;  // role (prompt, completion, text, messages) -> JSON field name
  std::string form = "auto";
};

// Returns: the documents of a file or folder, in order. Empty documents are left out.
// Throws: DataError with file:line:column and remedy.
Documents read_documents(const std::filesystem::path& path, const ReadingRules&, const Tokenizer&);

// Returns: the texts of a text file: its pieces between end-of-text lines, or all of it. Throws: DataError.
std::vector<std::string> texts_of(const std::filesystem::path& file);

// Returns: the turns of a row. Throws: DataError when the field is not a list of {role, content} texts.
std::vector<Message> messages_of(const JsonRow& row, const std::string& field);

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
