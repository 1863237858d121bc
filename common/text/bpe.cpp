#include "common/text/bpe.h"

#include <queue>
#include <tuple>

#include "common/text/tokenizer.h"
#include "common/text/unicode.h"

namespace ranktide {
namespace {

constexpr size_t kSeenPieceBytesMax = 256;
constexpr size_t kSeenPiecesMax = 1 << 17;  // then all are forgotten: common pieces come back at once

std::string utf8_of(char32_t c) {  // below U+0800, which is all that byte symbols need
  if (c < 0x80) return {static_cast<char>(c)};
  return {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 0x3F))};
}

std::array<std::string, 256> make_byte_symbols() {
  std::array<std::string, 256> symbols;
  char32_t next = 256;  // bytes that print badly get the characters from here on, in order
  for (unsigned b = 0; b < 256; ++b) {
    const bool printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
    symbols[b] = utf8_of(printable ? b : next++);
  }
  return symbols;
}

}  // namespace

const std::array<std::string, 256>& byte_symbols() {
  static const std::array<std::string, 256> kSymbols = make_byte_symbols();
  return kSymbols;
}

std::string bytes_of_symbols(std::string_view spelling) {
  static const std::unordered_map<std::string, char> kBytes = [] {
    std::unordered_map<std::string, char> bytes;
    for (size_t b = 0; b < 256; ++b) bytes.emplace(byte_symbols()[b], static_cast<char>(b));
    return bytes;
  }();
  std::string out;
  for (size_t at = 0; at < spelling.size();) {
    const size_t length = first_code_point(spelling.substr(at)).bytes;
    const auto byte = kBytes.find(std::string(spelling.substr(at, length)));
    if (byte == kBytes.end()) return std::string(spelling);
    out += byte->second;
    at += length;
  }
  return out;
}

Bpe::Bpe(const TokenizerFile& file, const std::string& where) {
  const auto& vocabulary = file.vocabulary;
  for (size_t b = 0; b < 256; ++b) {
    const auto id = vocabulary.find(byte_symbols()[b]);
    byte_ids_[b] = id == vocabulary.end() ? -1 : id->second;
  }
  int32_t rank = 0;
  for (const auto& [left, right] : file.merges) {
    const auto l = vocabulary.find(left);
    const auto r = vocabulary.find(right);
    const auto both = vocabulary.find(left + right);
    if (l == vocabulary.end() || r == vocabulary.end() || both == vocabulary.end())
      throw TokenizerError(where + ": the merge \"" + left + " " + right +
                           "\" speaks of a token that is not in the vocabulary");
    // Of a merge that is given twice the later rank counts, as in `tokenizers`.
    merges_[static_cast<uint64_t>(l->second) << 32 | static_cast<uint32_t>(r->second)] = {rank++, both->second};
  }
  if (file.ignore_merges)
    for (const auto& [spelling, id] : vocabulary) whole_pieces_.emplace(bytes_of_symbols(spelling), id);
}

// A piece while it is merged: a linked list of symbols over their first positions, and the merges that are
// possible, best first. An offer may be stale when its turn comes, since either side may have been merged
// meanwhile.
class Bpe::Merging {
 public:
  Merging(const Bpe& bpe, std::vector<int32_t> ids) : bpe_(bpe) {
    const int size = static_cast<int>(ids.size());
    for (int i = 0; i < size; ++i)
      symbols_.push_back({ids[static_cast<size_t>(i)], i - 1, i + 1 < size ? i + 1 : -1});
    for (int i = 0; i < size; ++i) offer(i);
  }

  std::vector<int32_t> finish() {
    while (!offers_.empty()) {
      const Offer best = offers_.top();
      offers_.pop();
      if (!is_stale(best)) apply(best);
    }
    std::vector<int32_t> ids;
    for (int i = symbols_.empty() ? -1 : 0; i >= 0; i = at(i).next) ids.push_back(at(i).id);
    return ids;
  }

 private:
  struct Symbol {
    int32_t id;  // -1: merged away
    int previous;
    int next;
  };
  struct Offer {
    int32_t rank;
    int left;    // position
    int32_t id;  // that the pair becomes
    friend bool operator>(const Offer& a, const Offer& b) {
      return std::tie(a.rank, a.left) > std::tie(b.rank, b.left);
    }
  };

  Symbol& at(int i) { return symbols_[static_cast<size_t>(i)]; }

  void offer(int left) {
    if (left < 0 || at(left).next < 0) return;
    if (const Merge* m = bpe_.merge_of(at(left).id, at(at(left).next).id)) offers_.push({m->rank, left, m->id});
  }
  bool is_stale(const Offer& offer) {
    const Symbol& left = at(offer.left);
    if (left.id < 0 || left.next < 0) return true;
    const Merge* now = bpe_.merge_of(left.id, at(left.next).id);
    return !now || now->id != offer.id;
  }
  void apply(const Offer& best) {
    Symbol& left = at(best.left);
    Symbol& right = at(left.next);
    left.id = best.id;
    left.next = right.next;
    right.id = -1;
    if (left.next >= 0) at(left.next).previous = best.left;
    offer(left.previous);
    offer(best.left);
  }

  const Bpe& bpe_;
  std::vector<Symbol> symbols_;
  std::priority_queue<Offer, std::vector<Offer>, std::greater<>> offers_;
};

const Bpe::Merge* Bpe::merge_of(int32_t left, int32_t right) const {
  const auto it = merges_.find(static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right));
  return it == merges_.end() ? nullptr : &it->second;
}

const std::vector<int32_t>& Bpe::encode(std::string_view piece) {
  if (const auto seen = seen_.find(piece); seen != seen_.end()) return seen->second;
  const auto whole = whole_pieces_.find(piece);
  last_ = whole != whole_pieces_.end() ? std::vector<int32_t>{whole->second} : merged(piece);
  if (piece.size() > kSeenPieceBytesMax) return last_;
  if (seen_.size() == kSeenPiecesMax) seen_.clear();
  return seen_.emplace(piece, last_).first->second;
}

std::vector<int32_t> Bpe::merged(std::string_view piece) const {
  std::vector<int32_t> ids;
  for (const char c : piece)
    if (const int32_t id = byte_ids_[static_cast<unsigned char>(c)]; id >= 0) ids.push_back(id);
  return Merging(*this, std::move(ids)).finish();
}

}  // namespace ranktide
