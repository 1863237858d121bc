#include "worker/trainer/program/weight_delta.h"

#include <ATen/ops/randn_like.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/model/base_identity.h"
#include "common/model/safetensors.h"
#include "tests/worker/trainer/tiny_model.h"
#include "worker/trainer/lm/engine.h"
#include "worker/trainer/lm/parameters.h"

namespace ranktide {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

// A tiny base, a model that was moved away from it, and both forms of what is kept.
class Delta : public testing::Test {
 protected:
  void SetUp() override {
    start_engine(1);
    write_tiny_model(base());
    Model model = Model::full(Base::load(base(), Dtype::fp32), 7);
    at::Tensor& values = model.tensors().values;
    values.add_(at::randn_like(values), 1e-4);
    model.save(folder_ / "weights");
    fs::create_directories(delta());
    write_weight_delta(model, base_id_of(base()), delta());
  }
  fs::path base() const { return folder_ / "base"; }
  fs::path delta() const { return folder_ / "delta"; }
  std::shared_ptr<const Base> restored(Dtype dtype) const {
    return load_restored(base(), base_id_of(base()), dtype, at::kCPU, delta());
  }
  std::string refusal() const {
    try {
      restored(Dtype::fp32);
    } catch (const ModelError& e) {
      return e.what();
    }
    return "restored";
  }
  // Changes one byte, so many from the file's end.
  void flip(const fs::path& file, size_t from_end) const {
    std::string bytes = read_file(file);
    bytes[bytes.size() - from_end] = static_cast<char>(bytes[bytes.size() - from_end] ^ 1);
    write_file(file, bytes);
  }

  ScratchFolder folder_;
};

TEST_F(Delta, RestoresEveryWeightBitForBitInEitherDtype) {
  EXPECT_TRUE(is_weight_delta(delta()));
  EXPECT_FALSE(is_weight_delta(folder_ / "weights"));
  for (const Dtype dtype : {Dtype::fp32, Dtype::bf16})
    EXPECT_EQ(restored(dtype)->sha256(), Base::load(folder_ / "weights", dtype)->sha256());
  EXPECT_NE(restored(Dtype::fp32)->sha256(), Base::load(base(), Dtype::fp32)->sha256());
}

TEST_F(Delta, IsSmallerThanTheWeights) {
  EXPECT_LT(fs::file_size(delta() / "delta.zst"), fs::file_size(folder_ / "weights/model.safetensors") * 3 / 4);
}

TEST_F(Delta, OfAnotherBaseIsRefused) {
  write_tiny_model(base(), 43);
  EXPECT_THAT(refusal(), AllOf(HasSubstr("holds base "), HasSubstr("is the difference to base ")));
}

TEST_F(Delta, ThatIsDamagedNamesTheTensorOrTheFile) {
  flip(delta() / "delta.zst", 9);
  EXPECT_THAT(refusal(),
              AllOf(HasSubstr("delta.zst: "), HasSubstr("\"model."), HasSubstr("fetch the delta again")));
  fs::resize_file(delta() / "delta.zst", fs::file_size(delta() / "delta.zst") - 1);
  EXPECT_THAT(refusal(), HasSubstr(" bytes instead of "));
  flip(delta() / "delta.json", 3);
  EXPECT_THAT(refusal(), HasSubstr("delta.json: "));
}

TEST_F(Delta, OfAnotherFormatIsRefused) {
  std::string manifest = read_file(delta() / "delta.json");
  manifest.replace(manifest.find("\"format\": 1"), 11, "\"format\": 2");
  write_file(delta() / "delta.json", manifest);
  EXPECT_THAT(refusal(), HasSubstr("format 2 is not known here"));
}

}  // namespace
}  // namespace ranktide
