// Logits against transformers: committed ones of tiny models of each family, and of the real base where it was
// prepared.
#include <algorithm>
#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/common/model/scratch.h"
#include "tests/worker/trainer/lm/tiny.h"

namespace ranktide {
namespace {

using testing::HasSubstr;

class Families : public testing::TestWithParam<const char*> {};

TEST_P(Families, LogitsEqualTransformers) {
  const Model model = Model::untouched(tiny::base(GetParam()));
  EXPECT_LT(tiny::largest_difference(model.logits(tiny::prompt()), tiny::reference_logits(GetParam())), 1e-4);
}

TEST_P(Families, ProductsInBf16StayNear) {
  const Model model = Model::untouched(tiny::base(GetParam(), Dtype::bf16));
  const auto reference = tiny::reference_logits(GetParam());
  double scale = 0;
  for (const float v : reference) scale = std::max(scale, std::abs(double{v}));
  EXPECT_LT(tiny::largest_difference(model.logits(tiny::prompt()), reference), 0.05 * scale);
}

TEST_P(Families, FullFinetuningStartsAtTheBaseInEitherDtype) {
  for (const Dtype dtype : {Dtype::fp32, Dtype::bf16}) {
    const auto base = tiny::base(GetParam(), dtype);
    EXPECT_EQ(Model::full(base, 0).logits(tiny::prompt()), Model::untouched(base).logits(tiny::prompt()));
  }
}

INSTANTIATE_TEST_SUITE_P(Tiny, Families, testing::Values("llama", "llama3", "qwen2", "qwen3"));

TEST(Model, ASavedModelFolderLoadsAgainWithEqualLogits) {
  const Scratch scratch;
  const auto base = tiny::base("qwen2");
  Model::full(base, 0).save(scratch.path() / "saved");
  const Model again = Model::untouched(Base::load(scratch.path() / "saved", Dtype::fp32));
  EXPECT_EQ(again.logits(tiny::prompt()), Model::untouched(base).logits(tiny::prompt()));
  EXPECT_EQ(tiny::read_json_file(scratch.path() / "saved/config.json")["dtype"], "float32");
}

TEST(Base, NamesATensorThatIsMissing) {
  const Scratch scratch;
  std::filesystem::copy(tiny::folder("qwen2"), scratch.path(), std::filesystem::copy_options::recursive);
  Json config = tiny::read_json_file(scratch.path() / "config.json");
  config["num_hidden_layers"] = 3;
  config.erase("layer_types");
  scratch.put("config.json", config.dump());
  try {
    Base::load(scratch.path(), Dtype::fp32);
    FAIL();
  } catch (const ModelError& e) {
    EXPECT_THAT(e.what(), HasSubstr("\"model.layers.2.input_layernorm.weight\" is missing"));
  }
}

TEST(Base, RefusesTensorsThatTheConfigHasNoPlaceFor) {
  const Scratch scratch;
  std::filesystem::copy(tiny::folder("llama"), scratch.path(), std::filesystem::copy_options::recursive);
  Json config = tiny::read_json_file(scratch.path() / "config.json");
  config["num_hidden_layers"] = 1;
  scratch.put("config.json", config.dump());
  EXPECT_THROW(Base::load(scratch.path(), Dtype::fp32), ModelError);
}

// Of one position.
double logsumexp(const float* logits, size_t vocabulary) {
  const double top = *std::max_element(logits, logits + vocabulary);
  double sum = 0;
  for (size_t c = 0; c < vocabulary; ++c) sum += std::exp(logits[c] - top);
  return top + std::log(sum);
}

// Even columns minus odd ones.
double alternating_sum(const float* logits, size_t begin, size_t end) {
  double sum = 0;
  for (size_t c = begin; c < end; ++c) sum += c % 2 == 0 ? double{logits[c]} : -double{logits[c]};
  return sum;
}

// What every logit of a position enters. Two ways that transformers itself has of attention differ by 0.001 in
// a strip's sum, so that one column of its 3,072 which is off by more than the tolerance is seen.
void expect_every_column_near(const float* logits, size_t vocabulary, const Json& prompt, size_t t) {
  constexpr double kStripTolerance = 0.005;
  EXPECT_NEAR(logsumexp(logits, vocabulary), prompt["logsumexp"][t].get<double>(), 1e-4);
  const auto begins = prompt["columns"].get<std::vector<size_t>>();
  for (size_t strip = 0; strip < begins.size(); ++strip) {
    const size_t end = strip + 1 < begins.size() ? begins[strip + 1] : vocabulary;
    EXPECT_NEAR(alternating_sum(logits, begins[strip], end), prompt["strip_sums"][t][strip].get<double>(),
                kStripTolerance)
        << "position " << t;
  }
}

TEST(RealBase, LogitsEqualTransformersOnTwentyPrompts) {
  const std::filesystem::path source = RANKTIDE_SOURCE_DIR;
  const auto folder = source / "models/smollm2-135m", golden = source / "tests/golden/smollm2.json";
  if (!std::filesystem::exists(folder / "model.safetensors"))
    GTEST_SKIP() << "no base at models/smollm2-135m: run ./bootstrap";
  start_engine(1);
  const Model model = Model::untouched(Base::load(folder, Dtype::fp32));
  const Json prompts = tiny::read_json_file(golden);
  ASSERT_EQ(prompts.size(), 20U);
  for (const Json& prompt : prompts) {
    const auto ids = prompt["ids"].get<std::vector<int32_t>>();
    const auto columns = prompt["columns"].get<std::vector<size_t>>();
    const auto logits = model.logits(ids);
    const size_t vocabulary = logits.size() / ids.size();
    for (size_t t = 0; t < ids.size(); ++t) {
      for (size_t c = 0; c < columns.size(); ++c)
        ASSERT_NEAR(logits[t * vocabulary + columns[c]], prompt["logits"][t][c].get<double>(), 1e-4);
      ASSERT_NEAR(logits[t * vocabulary + prompt["argmax"][t].get<size_t>()], prompt["max"][t].get<double>(),
                  1e-4);
      expect_every_column_near(logits.data() + t * vocabulary, vocabulary, prompt, t);
    }
  }
}

}  // namespace
}  // namespace ranktide
