// A true pretrained model: stories260K of the shared data, turned into a Hugging Face folder here. Its losses
// on real text are known from an fp64 reference, so loading, rotary halves, attention, loss and tallying are
// tested at once.

#include <cstring>
#include <gtest/gtest.h>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <sstream>
#include <vector>

#include "common/model/safetensors.h"
#include "tests/worker/trainer/tiny_model.h"
#include "worker/trainer/eval/evaluate.h"
#include "worker/trainer/lm/engine.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;

const fs::path kShared = RANKTIDE_SHARED_DATA;
constexpr int32_t kBos = 1;
constexpr int64_t kWindow = 512;  // tokens, each window preceded by bos
constexpr int64_t kD = 64, kF = 172, kL = 5, kH = 8, kKv = 4, kHd = kD / kH, kV = 512;

// Reads a llama2.c checkpoint (v0) front to back: header, then fp32 tensors per kind over all layers.
class Llama2c {
 public:
  explicit Llama2c(const fs::path& file) : bytes_(read_file(file)), at_(7 * sizeof(int32_t)) {}

  std::vector<float> take(int64_t count) {
    std::vector<float> out(static_cast<size_t>(count));
    std::memcpy(out.data(), bytes_.data() + at_, out.size() * sizeof(float));
    at_ += out.size() * sizeof(float);
    return out;
  }

 private:
  std::string bytes_;
  size_t at_;
};

// llama2.c rotates neighbours (i, i + 1), Hugging Face halves (i, i + hd / 2): rows of q and k change places.
std::vector<float> halves(const std::vector<float>& w) {
  const auto heads = static_cast<int64_t>(w.size()) / (kD * kHd);
  std::vector<float> out;
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t half = 0; half < 2; ++half)
      for (int64_t i = half; i < kHd; i += 2) {
        const auto row = w.begin() + (h * kHd + i) * kD;
        out.insert(out.end(), row, row + kD);
      }
  return out;
}

class StoriesFolder {
 public:
  explicit StoriesFolder(const fs::path& folder) : file_(kShared / "stories260K/stories260K.bin") {
    add("model.embed_tokens.weight", file_.take(kV * kD), {kV, kD});
    add_layers("input_layernorm", {kD});
    add_layers("self_attn.q_proj", {kH * kHd, kD});
    add_layers("self_attn.k_proj", {kKv * kHd, kD});
    add_layers("self_attn.v_proj", {kKv * kHd, kD});
    add_layers("self_attn.o_proj", {kD, kH * kHd});
    add_layers("post_attention_layernorm", {kD});
    add_layers("mlp.gate_proj", {kF, kD});
    add_layers("mlp.down_proj", {kD, kF});
    add_layers("mlp.up_proj", {kF, kD});
    add("model.norm.weight", file_.take(kD), {kD});
    write_safetensors(folder / "model.safetensors", views_);
    const nlohmann::json config{{"model_type", "llama"},
                                {"vocab_size", kV},
                                {"hidden_size", kD},
                                {"intermediate_size", kF},
                                {"num_hidden_layers", kL},
                                {"num_attention_heads", kH},
                                {"num_key_value_heads", kKv},
                                {"hidden_act", "silu"},
                                {"rms_norm_eps", 1e-5},
                                {"rope_theta", 10000.0},
                                {"max_position_embeddings", kWindow},
                                {"tie_word_embeddings", true}};
    write_file(folder / "config.json", config.dump(1));
  }

 private:
  void add(const std::string& name, std::vector<float> values, std::vector<int64_t> shape) {
    storage_[name] = std::move(values);
    views_[name] = {.dtype = "F32",
                    .shape = std::move(shape),
                    .bytes = std::as_bytes(std::span<const float>(storage_[name]))};
  }
  void add_layers(const std::string& module, const std::vector<int64_t>& shape) {
    const int64_t count = shape[0] * (shape.size() == 2 ? shape[1] : 1);
    for (int64_t l = 0; l < kL; ++l) {
      std::vector<float> values = file_.take(count);
      if (module.ends_with("q_proj") || module.ends_with("k_proj")) values = halves(values);
      add("model.layers." + std::to_string(l) + "." + module + ".weight", std::move(values), shape);
    }
  }

  Llama2c file_;
  std::map<std::string, std::vector<float>> storage_;
  std::map<std::string, TensorView> views_;
};

// The model's own tokenizer: code points (unknown bytes as byte tokens), then the best-scored pair until none
// is left.
class StoriesTokenizer {
 public:
  StoriesTokenizer() {
    std::istringstream in(read_file(kShared / "stories260K/tok512.bin"));
    int32_t longest = 0, size = 0;
    float score = 0;
    in.read(reinterpret_cast<char*>(&longest), sizeof longest);
    for (int32_t id = 0; in.read(reinterpret_cast<char*>(&score), sizeof score); ++id) {
      in.read(reinterpret_cast<char*>(&size), sizeof size);
      std::string piece(static_cast<size_t>(size), '\0');
      in.read(piece.data(), size);
      pieces_.push_back(piece);
      scores_.push_back(score);
      ids_.emplace(piece, id);
    }
    fill_merged();
  }

  std::vector<int32_t> encode(const std::string& text) const {
    std::vector<int32_t> ids = characters(" " + text);
    while (merge_best(ids)) {
    }
    return ids;
  }

 private:
  std::vector<int32_t> characters(const std::string& text) const {
    std::vector<int32_t> ids;
    for (size_t i = 0; i < text.size();) {
      size_t length = 1;
      while (i + length < text.size() && (text[i + length] & 0xc0) == 0x80) ++length;
      const auto found = ids_.find(text.substr(i, length));
      if (found != ids_.end())
        ids.push_back(found->second);
      else
        for (size_t b = 0; b < length; ++b) ids.push_back(static_cast<unsigned char>(text[i + b]) + 3);
      i += length;
    }
    return ids;
  }

  bool merge_best(std::vector<int32_t>& ids) const {
    float best = -1e10f;
    size_t place = ids.size();
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      const int32_t merged = merged_[pair_of(ids[i], ids[i + 1])];
      if (merged < 0 || scores_[static_cast<size_t>(merged)] <= best) continue;
      best = scores_[static_cast<size_t>(merged)];
      place = i;
    }
    if (place == ids.size()) return false;
    ids[place] = merged_[pair_of(ids[place], ids[place + 1])];
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(place) + 1);
    return true;
  }

  size_t pair_of(int32_t left, int32_t right) const {
    return static_cast<size_t>(left) * pieces_.size() + static_cast<size_t>(right);
  }
  // Which piece two pieces make, for every pair of them: asked for each place of a text again and again.
  void fill_merged() {
    merged_.assign(pieces_.size() * pieces_.size(), -1);
    for (const auto& [piece, id] : ids_)
      for (size_t cut = 1; cut < piece.size(); ++cut) {
        const auto left = ids_.find(piece.substr(0, cut)), right = ids_.find(piece.substr(cut));
        if (left != ids_.end() && right != ids_.end()) merged_[pair_of(left->second, right->second)] = id;
      }
  }

  std::vector<std::string> pieces_;
  std::vector<float> scores_;
  std::map<std::string, int32_t> ids_;
  std::vector<int32_t> merged_;
};

// Windows of a document, every token predicted once.
void append_windows(const std::vector<int32_t>& document, std::vector<EvalItem>& items) {
  for (size_t from = 0; from < document.size(); from += kWindow) {
    const size_t to = std::min(document.size(), from + static_cast<size_t>(kWindow));
    EvalChoice window{.tokens = {kBos}, .scored_from = 1};
    for (size_t i = from; i < to; ++i) window.tokens.push_back(document[i]);
    items.push_back({.choices = {window}, .gold = 0});
  }
}

std::string stripped(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t\r\n"), end = text.find_last_not_of(" \t\r\n");
  return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

std::vector<std::string> first_stories(size_t count) {
  const std::string text = read_file(kShared / "tinystories/train_2000.txt"), mark = "<|endoftext|>";
  std::vector<std::string> stories;
  for (size_t at = 0; stories.size() < count;) {
    const size_t end = text.find(mark, at);
    stories.push_back(stripped(text.substr(at, end - at)));
    at = end + mark.size();
  }
  return stories;
}

std::vector<std::string> first_problems(size_t count) {
  std::istringstream in(read_file(kShared / "gsm8k/train.jsonl"));
  std::vector<std::string> problems;
  for (std::string line; problems.size() < count && std::getline(in, line);) {
    const auto row = nlohmann::json::parse(line);
    problems.push_back(row["question"].get<std::string>() + "\n" + row["answer"].get<std::string>());
  }
  return problems;
}

class Stories260K : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(kShared / "stories260K/stories260K.bin"))
      GTEST_SKIP() << "needs the shared data: " << (kShared / "stories260K/stories260K.bin").string();
    start_engine(1);
    StoriesFolder{folder_.path()};
  }

  Evaluation loss_on(const std::vector<std::string>& documents) const {
    const StoriesTokenizer tokenizer;
    std::vector<EvalItem> items;
    for (const std::string& document : documents) append_windows(tokenizer.encode(document), items);
    const Model model = Model::untouched(Base::load(folder_.path(), Dtype::fp32));
    return *evaluate(model, items, EvalKind::loss, EvalNorm::tokens);
  }

  ScratchFolder folder_;
};

TEST_F(Stories260K, HasTheKnownLossOnItsOwnStories) {
  const Evaluation e = loss_on(first_stories(200));
  EXPECT_EQ(e.tokens, 80229);
  EXPECT_NEAR(e.value, 1.4919, 1e-3);
}

TEST_F(Stories260K, HasTheKnownLossOnWordProblems) {
  const Evaluation e = loss_on(first_problems(200));
  EXPECT_EQ(e.tokens, 71574);
  EXPECT_NEAR(e.value, 5.5959, 1e-3);
}

}  // namespace
}  // namespace ranktide
