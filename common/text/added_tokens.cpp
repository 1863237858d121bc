#include "common/text/added_tokens.h"

#include <algorithm>

#include "common/text/unicode.h"

namespace ranktide {
namespace {

bool touches_a_word(std::string_view before, std::string_view after) {
  if (!before.empty() && is_word_character(last_code_point(before).value)) return true;
  return !after.empty() && is_word_character(first_code_point(after).value);
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  for (size_t i = 0; i < tokens_.size(); ++i)
    if (!tokens_[i].content.empty())
      by_first_byte_[static_cast<unsigned char>(tokens_[i].content[0])].push_back(i);
  for (auto& bucket : by_first_byte_)
    std::stable_sort(bucket.begin(), bucket.end(),
                     [&](size_t a, size_t b) { return tokens_[a].content.size() > tokens_[b].content.size(); });
}

const AddedToken* AddedTokens::longest_at(std::string_view text, size_t at) const {
  for (const size_t i : by_first_byte_[static_cast<unsigned char>(text[at])])
    if (text.substr(at).starts_with(tokens_[i].content)) return &tokens_[i];
  return nullptr;
}

std::vector<Stretch> AddedTokens::find(std::string_view text, Special special) const {
  std::vector<Stretch> out;
  size_t done = 0;  // all before it is in `out`
  for (size_t at = 0; at < text.size();) {
    const AddedToken* token = longest_at(text, at);
    if (!token) {
      ++at;
      continue;
    }
    size_t start = at;
    size_t stop = at + token->content.size();
    at = stop;  // a match that is refused below hides what begins inside it, as in `tokenizers`
    if (token->special && special == Special::as_text) continue;
    if (token->single_word && touches_a_word(text.substr(0, start), text.substr(stop))) continue;
    if (token->lstrip)
      start -= std::min(trailing_white_space(text.substr(0, start)), start - std::min(start, done));
    if (token->rstrip) stop += leading_white_space(text.substr(stop));
    if (start > done) out.push_back({text.substr(done, start - done), std::nullopt});
    out.push_back({text.substr(start, stop - start), token->id});
    done = stop;
  }
  if (done < text.size()) out.push_back({text.substr(done), std::nullopt});
  return out;
}

}  // namespace ranktide
