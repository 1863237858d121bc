#include "common/text/splitter.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <algorithm>
#include <pcre2.h>
#include <string>

#include "common/text/tokenizer.h"
#include "common/vocabulary/check.h"

namespace ranktide {
namespace {

constexpr uint32_t kMatchLimit = 10'000'000;
constexpr uint32_t kHeapLimitKib = 64 * 1024;

// PCRE2's \s takes U+180E for white space, Oniguruma's does not; everything else that tokenizers use agrees.
std::string in_pcre2_dialect(std::string_view pattern) {
  constexpr std::string_view kSpaces =
      R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      const char escaped = pattern[++i];
      if (escaped == 's')
        out += in_class ? std::string(kSpaces) : "[" + std::string(kSpaces) + "]";
      else if (escaped == 'S' && in_class)
        out += R"(\S\x{180e})";
      else if (escaped == 'S')
        out += "[^" + std::string(kSpaces) + "]";
      else
        out += {'\\', escaped};
      continue;
    }
    if (c == '[') in_class = true;
    if (c == ']') in_class = false;
    out += c;
  }
  return out;
}

struct Found {
  std::string_view text;
  bool is_match;
};

std::string_view joined(std::string_view left, std::string_view right) {
  RT_CHECK(left.data() + left.size() == right.data());
  return {left.data(), left.size() + right.size()};
}

// Collects pieces by what a behavior makes of matches and gaps.
class Pieces {
 public:
  void add(const std::vector<Found>& found, SplitBehavior behavior) {
    switch (behavior) {
      case SplitBehavior::isolated:
        for (const Found& f : found) pieces_.push_back(f.text);
        return;
      case SplitBehavior::removed:
        for (const Found& f : found)
          if (!f.is_match) pieces_.push_back(f.text);
        return;
      case SplitBehavior::contiguous:
        return add_contiguous(found);
      case SplitBehavior::merged_with_previous:
        return add_merged_with_previous(found);
      case SplitBehavior::merged_with_next:
        return add_merged_with_next(found);
    }
  }
  std::vector<std::string_view> take() { return std::move(pieces_); }

 private:
  void add_contiguous(const std::vector<Found>& found) {
    for (size_t i = 0; i < found.size(); ++i)
      add_or_join(found[i], i > 0 && found[i].is_match == found[i - 1].is_match);
  }
  // A match joins the piece before it, but of several in a row only the first one does.
  void add_merged_with_previous(const std::vector<Found>& found) {
    for (size_t i = 0; i < found.size(); ++i)
      add_or_join(found[i], i > 0 && found[i].is_match && !found[i - 1].is_match);
  }
  // The mirror image: of several matches in a row only the last one joins the piece behind it.
  void add_merged_with_next(const std::vector<Found>& found) {
    for (size_t i = 0; i < found.size(); ++i)
      add_or_join(found[i], i > 0 && !found[i].is_match && found[i - 1].is_match);
  }
  void add_or_join(const Found& f, bool joins) {
    if (joins)
      pieces_.back() = joined(pieces_.back(), f.text);
    else
      pieces_.push_back(f.text);
  }

  std::vector<std::string_view> pieces_;
};

}  // namespace

struct Splitter::Regex {
  template <auto Free>
  struct Freed {
    template <class T>
    void operator()(T* p) const {
      Free(p);
    }
  };
  std::string pattern;
  std::unique_ptr<pcre2_code, Freed<pcre2_code_free>> code;
  std::unique_ptr<pcre2_match_context, Freed<pcre2_match_context_free>> limits;
  std::unique_ptr<pcre2_match_data, Freed<pcre2_match_data_free>> match;

  explicit Regex(const std::string& source);
  std::vector<Found> find_all(std::string_view text) const;
};

Splitter::Regex::Regex(const std::string& source) : pattern(source) {
  const std::string translated = in_pcre2_dialect(source);
  int error = 0;
  PCRE2_SIZE at = 0;
  code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                           PCRE2_UTF | PCRE2_UCP, &error, &at, nullptr));
  if (!code) {
    PCRE2_UCHAR message[256];
    pcre2_get_error_message(error, message, sizeof message);
    throw TokenizerError("pre-tokenizer pattern \"" + source + "\" does not compile: " +
                         reinterpret_cast<const char*>(message) + "; patterns that PCRE2 reads are supported");
  }
  pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);  // without JIT the interpreter matches the same, slower
  limits.reset(pcre2_match_context_create(nullptr));
  pcre2_set_match_limit(limits.get(), kMatchLimit);
  pcre2_set_heap_limit(limits.get(), kHeapLimitKib);
  match.reset(pcre2_match_data_create_from_pattern(code.get(), nullptr));
}

std::vector<Found> Splitter::Regex::find_all(std::string_view text) const {
  std::vector<Found> found;
  const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(match.get());
  size_t done = 0;  // all before it is in `found`
  for (size_t from = 0; from < text.size();) {
    const int rc = pcre2_match(code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                               PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, match.get(), limits.get());
    if (rc == PCRE2_ERROR_NOMATCH) break;
    if (rc < 0)
      throw TokenizerError("pre-tokenizer pattern \"" + pattern + "\" went over the limits of PCRE2 (error " +
                           std::to_string(rc) + ") on a text of " + std::to_string(text.size()) +
                           " bytes; cut the document into smaller ones");
    if (ends[0] > done) found.push_back({text.substr(done, ends[0] - done), false});
    found.push_back({text.substr(ends[0], ends[1] - ends[0]), true});
    done = from = ends[1];
  }
  if (done < text.size()) found.push_back({text.substr(done), false});
  return found;
}

Splitter::Splitter(const SplitStage& stage)
    : regex_(std::make_unique<Regex>(stage.pattern)), behavior_(stage.behavior), invert_(stage.invert) {}
Splitter::Splitter(Splitter&&) noexcept = default;
Splitter& Splitter::operator=(Splitter&&) noexcept = default;
Splitter::~Splitter() = default;

std::vector<std::string_view> Splitter::split(const std::vector<std::string_view>& texts) const {
  Pieces pieces;
  for (const std::string_view text : texts) {
    std::vector<Found> found = regex_->find_all(text);
    if (invert_)
      for (Found& f : found) f.is_match = !f.is_match;
    pieces.add(found, behavior_);
  }
  return pieces.take();
}

}  // namespace ranktide
