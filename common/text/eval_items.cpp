#include "common/text/eval_items.h"

#include <algorithm>
#include <optional>

#include "common/text/chat.h"
#include "common/text/prompt_form.h"
#include "common/text/row_shape.h"
#include "common/text/unicode.h"
#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

// One context and continuation of a choice row.
struct Option {
  std::string context;
  std::string continuation;
};

struct ChoiceRow {
  std::vector<Option> options;
  int gold = 0;
};

std::vector<std::string> texts_field(const JsonRow& row, const char* name) {
  const Json list = row.value.value(name, Json());
  std::vector<std::string> texts;
  for (const Json& text : list.is_array() ? list : Json::array())
    if (text.is_string()) texts.push_back(text.get<std::string>());
  if (!list.is_array() || texts.size() != list.size() || texts.size() < 2)
    throw DataError(row.where + ": the field \"" + name + "\" must be a list of at least two texts");
  return texts;
}

ChoiceRow choice_row(const JsonRow& row) {
  ChoiceRow out;
  if (row.value.contains("context_options")) {
    const std::string continuation = text_field(row, "continuation");
    for (std::string& context : texts_field(row, "context_options"))
      out.options.push_back({std::move(context), continuation});
  } else if (row.value.contains("choices")) {
    const std::string query = text_field(row, "query");
    for (std::string& choice : texts_field(row, "choices")) out.options.push_back({query, std::move(choice)});
  } else {
    throw DataError(row.where +
                    ": kind choice needs rows {query, choices, gold} or {context_options, continuation, "
                    "gold}; for other rows use kind: loss");
  }
  const Json gold = row.value.value("gold", Json());
  if (!gold.is_number_integer() || gold < 0 || gold >= out.options.size())
    throw DataError(row.where + ": \"gold\" must be the index of the right option, 0 to " +
                    std::to_string(out.options.size() - 1));
  out.gold = gold.get<int>();
  return out;
}

// Encodes contexts and continuations of one eval.
class ItemWriter {
 public:
  ItemWriter(const EvalSpec& spec, const Tokenizer& tokenizer)
      : tokenizer_(tokenizer), form_(spec.form, "eval"), has_bos_(tokenizer.starts_with_bos()) {}

  // `shown` stands before the context: the examples of a few-shot prompt.
  EvalChoice pair(const Option& option, Joint joint, const std::string& shown, const std::string& where) const {
    if (form_.is_chat()) return chat_pair(option, shown, where);
    const PromptText text = form_.apply(option.context, option.continuation, joint);
    return cut_pair(shown + text.context, text.continuation, option.continuation, where);
  }

  // Returns: a solved example as it is shown in a few-shot prompt.
  std::string solved(const Option& option, const std::string& where) const {
    if (form_.is_chat())
      throw DataError(where + ": shots together with template: chat are not supported; use shots: 0");
    const PromptText text = form_.apply(option.context, option.continuation, Joint::space);
    return text.context + text.continuation + "\n\n";
  }

  // Loss on every token; nullopt when there is nothing to predict.
  std::optional<EvalChoice> running_text(const std::string& text) const {
    return window(tokenizer_.encode(text, Special::as_text));
  }

  std::vector<EvalItem> windows(const std::string& text) const {
    const std::vector<int32_t> ids = tokenizer_.encode(text, Special::as_text);
    std::vector<EvalItem> items;
    for (size_t from = 0; from < ids.size(); from += kEvalWindowTokens) {
      const size_t to = std::min(ids.size(), from + kEvalWindowTokens);
      const auto at = [&](size_t i) { return ids.begin() + static_cast<std::ptrdiff_t>(i); };
      if (auto choice = window({at(from), at(to)})) items.push_back({{std::move(*choice)}, 0});
    }
    return items;
  }

  EvalChoice last_turn(const std::vector<Message>& messages, const std::string& where) const {
    if (messages.back().role != "assistant")
      throw DataError(where + ": the last turn must be the assistant's: it is the one that is scored");
    const std::vector<Message> before(messages.begin(), messages.end() - 1);
    return spoken(before, messages.back().content, where);
  }

 private:
  EvalChoice chat_pair(const Option& option, const std::string& shown, const std::string& where) const {
    RT_CHECK(shown.empty());
    return spoken({{"user", option.context}}, option.continuation, where);
  }

  // The assistant's words after the opening of its turn; the token that ends the turn is not scored.
  EvalChoice spoken(const std::vector<Message>& before, const std::string& words,
                    const std::string& where) const {
    Document document{.kind = DocumentKind::example,
                      .spans = ChatTemplate::of(tokenizer_).render_prompt(before)};
    document.spans.push_back({words, SpanKind::text, true});
    EncodedDocument encoded = encode_document(document, tokenizer_);
    const auto first = std::find(encoded.learned.begin(), encoded.learned.end(), uint8_t{1});
    if (first == encoded.learned.end())
      throw DataError(where + ": the continuation is empty; there is nothing to score");
    const auto scored_from = static_cast<int32_t>(first - encoded.learned.begin());
    return {std::move(encoded.tokens), scored_from, static_cast<int64_t>(words.size())};
  }

  // As lm_eval: white space at the end of the context goes to the continuation, both are encoded together and
  // cut at the length of the encoded context; an empty context is the prefix token.
  EvalChoice cut_pair(std::string context, std::string continuation, const std::string& words,
                      const std::string& where) const {
    context = valid_utf8(context);
    const size_t kept = context.size() - trailing_white_space(context);
    continuation.insert(0, context, kept);
    context.resize(kept);
    EvalChoice choice{.bytes = static_cast<int64_t>(words.size())};
    choice.tokens = tokenizer_.encode(context + continuation, Special::as_text);
    if (words.empty() || choice.tokens.empty())
      throw DataError(where + ": the continuation is empty; there is nothing to score");
    if (context.empty()) {
      choice.tokens.insert(choice.tokens.begin(), prefix_token(where));
      choice.scored_from = 1;
      return choice;
    }
    // Where the continuation's begin melts into the context's last token, that token is scored.
    const size_t cut = std::min(tokenizer_.encode(context, Special::as_text).size(), choice.tokens.size() - 1);
    choice.scored_from = static_cast<int32_t>(std::max<size_t>(cut, 1));
    if (choice.tokens.size() == 1) choice.tokens.insert(choice.tokens.begin(), prefix_token(where));
    return choice;
  }

  int32_t prefix_token(const std::string& where) const {
    if (tokenizer_.bos()) return *tokenizer_.bos();
    if (tokenizer_.eos()) return *tokenizer_.eos();
    throw DataError(where +
                    ": the context is empty and the tokenizer has neither bos nor eos to put in its place");
  }

  std::optional<EvalChoice> window(std::vector<int32_t> ids) const {
    EvalChoice choice{.tokens = std::move(ids), .scored_from = 1};
    if (has_bos_) choice.tokens.insert(choice.tokens.begin(), *tokenizer_.bos());
    if (choice.tokens.size() < 2) return std::nullopt;
    choice.bytes = static_cast<int64_t>(tokenizer_.decode(std::span(choice.tokens).subspan(1)).size());
    return choice;
  }

  const Tokenizer& tokenizer_;
  PromptForm form_;
  bool has_bos_;
};

bool is_full(const EvalSpec& spec, const std::vector<EvalItem>& items) {
  return spec.limit && static_cast<int64_t>(items.size()) >= *spec.limit;
}

std::vector<EvalItem> choice_items(const EvalSpec& spec, const ItemWriter& writer,
                                   const std::filesystem::path& file) {
  const std::vector<JsonRow> rows = read_json_rows(file);
  const auto shots = static_cast<size_t>(spec.shots);
  if (shots >= rows.size())
    throw DataError(file.string() + ": has " + std::to_string(rows.size()) + " rows, too few for " +
                    std::to_string(shots) + " shots and an item to score");
  std::string shown;
  for (size_t i = 0; i < shots; ++i) {
    const ChoiceRow row = choice_row(rows[i]);
    shown += writer.solved(row.options[static_cast<size_t>(row.gold)], rows[i].where);
  }
  std::vector<EvalItem> items;
  for (size_t i = shots; i < rows.size() && !is_full(spec, items); ++i) {
    const ChoiceRow row = choice_row(rows[i]);
    EvalItem item{.gold = row.gold};
    for (const Option& option : row.options)
      item.choices.push_back(writer.pair(option, Joint::space, shown, rows[i].where));
    items.push_back(std::move(item));
  }
  return items;
}

std::optional<EvalChoice> loss_choice(const JsonRow& row, const RowShape& shape, const ItemWriter& writer) {
  switch (shape.kind) {
    case RowKind::text:
      return writer.running_text(text_field(row, shape.text));
    case RowKind::messages:
      return writer.last_turn(messages_of(row, shape.messages), row.where);
    case RowKind::prompt:
      break;
  }
  return writer.pair({prompt_of(row, shape), text_field(row, shape.completion)}, shape.joint, "", row.where);
}

std::vector<EvalItem> loss_items(const EvalSpec& spec, const ItemWriter& writer,
                                 const std::filesystem::path& file) {
  std::vector<EvalItem> items;
  if (kind_of(file) == FileKind::text) {
    for (const std::string& text : texts_of(file))
      for (EvalItem& item : writer.windows(text)) items.push_back(std::move(item));
    if (spec.limit && static_cast<int64_t>(items.size()) > *spec.limit)
      items.resize(static_cast<size_t>(*spec.limit));
    return items;
  }
  const std::vector<JsonRow> rows = read_json_rows(file);
  const RowShape shape = shape_of(rows.front(), DataFormat::automatic, spec.fields);
  for (const JsonRow& row : rows) {
    if (is_full(spec, items)) break;
    if (auto choice = loss_choice(row, shape, writer)) items.push_back({{std::move(*choice)}, 0});
  }
  return items;
}

void require_possible(const EvalSpec& spec, const std::filesystem::path& file) {
  if (spec.limit && *spec.limit < 1) throw DataError(file.string() + ": eval limit must be at least 1");
  if (spec.kind != EvalKind::loss && spec.kind != EvalKind::choice)
    throw DataError(file.string() + ": kind " + std::string(text_of(spec.kind)) +
                    " is not built yet, since no trainer writes answers; use kind: loss or kind: choice");
  if (spec.shots < 0) throw DataError(file.string() + ": eval shots must be at least 0");
  if (spec.kind == EvalKind::loss && spec.shots > 0)
    throw DataError(file.string() + ": shots are supported for kind choice only; use shots: 0");
  if (spec.kind == EvalKind::choice && kind_of(file) != FileKind::json_rows)
    throw DataError(
        file.string() +
        ": kind choice needs a .jsonl file of rows {query, choices, gold}; for text use kind: loss");
}

}  // namespace

std::vector<EvalItem> load_eval_items(const EvalSpec& spec, const Tokenizer& tokenizer) {
  const std::filesystem::path file = spec.data;
  if (!std::filesystem::is_regular_file(file))
    throw DataError(file.string() + ": no such file; eval data is one file, check the path in the sweep file");
  require_possible(spec, file);
  const ItemWriter writer(spec, tokenizer);
  std::vector<EvalItem> items =
      spec.kind == EvalKind::choice ? choice_items(spec, writer, file) : loss_items(spec, writer, file);
  if (items.empty())
    throw DataError(file.string() + ": nothing to score: it has no text of at least two tokens");
  return items;
}

}  // namespace ranktide
