#include "common/text/documents.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <span>

#include "common/text/prompt_form.h"
#include "common/text/row_shape.h"
#include "common/text/unicode.h"
#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

constexpr std::string_view kEndOfTextLine = "<|endoftext|>";

std::string_view without_end_of_line(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string stripped(const std::string& text) {
  const std::string valid = valid_utf8(text);
  const size_t from = leading_white_space(valid);
  return from == valid.size() ? "" : valid.substr(from, valid.size() - from - trailing_white_space(valid));
}

// The pieces between end-of-text lines, stripped; or the text as it is when there is no such line.
std::vector<std::string> split_at_end_of_text(const std::string& text) {
  std::vector<std::string> pieces(1);
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, std::min(rest.find('\n'), rest.size() - 1) + 1);
    rest.remove_prefix(line.size());
    if (without_end_of_line(line) == kEndOfTextLine)
      pieces.emplace_back();
    else
      pieces.back().append(line);
  }
  if (pieces.size() > 1)
    for (std::string& piece : pieces) piece = stripped(piece);
  return pieces;
}

// Turns rows and texts into documents with one tokenizer's control tokens.
class DocumentWriter {
 public:
  DocumentWriter(const ReadingRules& rules, const Tokenizer& tokenizer)
      : tokenizer_(tokenizer), form_(rules.form, "data") {
    if (tokenizer.eos()) eos_ = tokenizer.decode(std::vector<int32_t>{*tokenizer.eos()});
    if (form_.is_chat()) chat_ = ChatTemplate::of(tokenizer);
  }

  Document plain(std::string text) const {
    Document document{.kind = DocumentKind::plain, .spans = {{std::move(text), SpanKind::text, true}}};
    end(document);
    return document;
  }

  Document of_row(const JsonRow& row, const RowShape& shape) {
    switch (shape.kind) {
      case RowKind::text:
        return plain(text_field(row, shape.text));
      case RowKind::prompt:
        return example(prompt_of(row, shape), text_field(row, shape.completion), shape.joint);
      case RowKind::messages:
        break;
    }
    if (!chat_) chat_ = ChatTemplate::of(tokenizer_);
    return {.kind = DocumentKind::example, .spans = chat_->render(messages_of(row, shape.messages))};
  }

 private:
  Document example(const std::string& prompt, const std::string& completion, Joint joint) const {
    if (form_.is_chat())
      return {.kind = DocumentKind::example,
              .spans = chat_->render({{"user", prompt}, {"assistant", completion}})};
    const PromptText text = form_.apply(prompt, completion, joint);
    Document document{
        .kind = DocumentKind::example,
        .spans = {{text.context, SpanKind::text, false}, {text.continuation, SpanKind::text, true}}};
    end(document);
    return document;
  }

  void end(Document& document) const {
    if (!eos_.empty()) document.spans.push_back({eos_, SpanKind::control, true});
  }

  const Tokenizer& tokenizer_;
  PromptForm form_;
  std::string eos_;  // empty: none
  std::optional<ChatTemplate> chat_;
};

bool is_empty(const Document& document) {
  return std::all_of(document.spans.begin(), document.spans.end(), [](const Span& span) {
    return span.kind == SpanKind::control || leading_white_space(valid_utf8(span.text)) == span.text.size();
  });
}

void require_text_format(const std::filesystem::path& file, DataFormat format) {
  if (format == DataFormat::automatic || format == DataFormat::text) return;
  throw DataError(file.string() + ": a file of text, but data.format is " + std::string(text_of(format)) +
                  "; use data.format: auto, or a .jsonl file");
}

Documents documents_of(const std::filesystem::path& file, const ReadingRules& rules, DocumentWriter& writer) {
  Documents out;
  if (kind_of(file) == FileKind::text) {
    require_text_format(file, rules.format);
    for (std::string& text : texts_of(file)) out.items.push_back(writer.plain(std::move(text)));
    out.format = "text";
    return out;
  }
  const std::vector<JsonRow> rows = read_json_rows(file);
  const RowShape shape = shape_of(rows.front(), rules.format, rules.fields);
  for (const JsonRow& row : rows) out.items.push_back(writer.of_row(row, shape));
  out.format = description(shape);
  return out;
}

size_t common_prefix(const std::vector<int32_t>& a, const std::vector<int32_t>& b) {
  return static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

// Returns: the tokens of neighbouring text spans. Requires: at least one.
EncodedDocument encode_text_run(std::span<const Span> spans, const Tokenizer& tokenizer) {
  std::string text;
  for (const Span& span : spans) text += span.text;
  EncodedDocument run{.tokens = tokenizer.encode(text, Special::as_text)};
  run.learned.assign(run.tokens.size(), spans.back().learned);
  // From the back: each border says how far the spans before it reach.
  for (size_t i = spans.size() - 1; i > 0; --i) {
    text.resize(text.size() - spans[i].text.size());
    if (spans[i - 1].learned == spans[i].learned) continue;
    const size_t reach = common_prefix(tokenizer.encode(text, Special::as_text), run.tokens);
    std::fill_n(run.learned.begin(), reach, static_cast<uint8_t>(spans[i - 1].learned));
  }
  return run;
}

EncodedDocument encode_control(const Span& span, const Tokenizer& tokenizer) {
  const auto id = tokenizer.id_of(span.text);
  RT_CHECK(id.has_value());
  return {.tokens = {*id}, .learned = {static_cast<uint8_t>(span.learned)}};
}

}  // namespace

std::vector<std::string> texts_of(const std::filesystem::path& file) {
  return split_at_end_of_text(read_text(file));
}

std::vector<Message> messages_of(const JsonRow& row, const std::string& field) {
  const Json turns = row.value.value(field, Json());
  std::vector<Message> messages;
  const auto is_text = [](const Json& turn, const char* key) {
    return turn.contains(key) && turn[key].is_string();
  };
  for (const Json& turn : turns.is_array() ? turns : Json::array())
    if (turn.is_object() && is_text(turn, "role") && is_text(turn, "content"))
      messages.push_back({turn["role"].get<std::string>(), turn["content"].get<std::string>()});
  if (!turns.is_array() || turns.empty() || messages.size() != turns.size())
    throw DataError(row.where + ": the field \"" + field +
                    "\" must be a list of turns, each {\"role\": text, \"content\": text}");
  return messages;
}

Documents read_documents(const std::filesystem::path& path, const ReadingRules& rules,
                         const Tokenizer& tokenizer) {
  DocumentWriter writer(rules, tokenizer);
  Documents documents;
  std::set<std::string> formats;
  for (const std::filesystem::path& file : data_files(path)) {
    Documents more = documents_of(file, rules, writer);
    std::move(more.items.begin(), more.items.end(), std::back_inserter(documents.items));
    formats.insert(std::move(more.format));
  }
  std::erase_if(documents.items, is_empty);
  for (const std::string& format : formats) documents.format += (documents.format.empty() ? "" : ", ") + format;
  return documents;
}

EncodedDocument encode_document(const Document& document, const Tokenizer& tokenizer) {
  EncodedDocument out{.kind = document.kind};
  std::span<const Span> rest = document.spans;
  while (!rest.empty()) {
    const auto control =
        std::find_if(rest.begin(), rest.end(), [](const Span& s) { return s.kind == SpanKind::control; });
    const auto run = static_cast<size_t>(control - rest.begin());
    const EncodedDocument part =
        run > 0 ? encode_text_run(rest.first(run), tokenizer) : encode_control(rest[0], tokenizer);
    out.tokens.insert(out.tokens.end(), part.tokens.begin(), part.tokens.end());
    out.learned.insert(out.learned.end(), part.learned.begin(), part.learned.end());
    rest = rest.subspan(std::max<size_t>(run, 1));
  }
  const bool has_bos = !out.tokens.empty() && out.tokens.front() == tokenizer.bos();
  if (tokenizer.starts_with_bos() && !has_bos) {
    out.tokens.insert(out.tokens.begin(), *tokenizer.bos());
    out.learned.insert(out.learned.begin(), uint8_t{0});
  }
  return out;
}

}  // namespace ranktide
