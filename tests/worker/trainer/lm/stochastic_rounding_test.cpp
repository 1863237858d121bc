// Rounding to bf16 that keeps the mean: what a place draws, where a value goes, and the same on a device.
#include "worker/trainer/lm/stochastic_rounding.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <bit>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <vector>

#include "common/vocabulary/random.h"
#include "worker/trainer/lm/device_rounding.h"
#include "worker/trainer/lm/parameters.h"

namespace ranktide {
namespace {

using at::Tensor;

float from_bits(uint32_t bits) {
  return std::bit_cast<float>(bits);
}

std::vector<uint16_t> rounded(const std::vector<float>& values, int64_t first = 0) {
  std::vector<uint16_t> out(values.size());
  round_stochastically(values.data(), first, std::ssize(values), out.data());
  return out;
}

std::vector<float> random_values(size_t count) {
  SplitMix64 random(count);
  std::vector<float> out;
  while (out.size() < count) {
    const float value = from_bits(static_cast<uint32_t>(random.next()));
    if (std::isfinite(value)) out.push_back(value);
  }
  return out;
}

TEST(StochasticRounding, KeepsWhatBf16Holds) {
  for (const uint32_t bits : {0U, 0x80000000U, 0x3f800000U, 0xbf800000U, 0x3e200000U, 0x00800000U, 0x80010000U,
                              0x7f7f0000U, 0x7f800000U, 0xff800000U})
    for (const uint16_t out : rounded(std::vector<float>(1000, from_bits(bits)))) ASSERT_EQ(out, bits >> 16);
}

// For each share of the way from one bf16 number to the next: of positive and negative values, to another
// exponent, to infinity, and among denormals.
TEST(StochasticRounding, GoesUpAsOftenAsAValueIsFarFromBelow) {
  constexpr size_t kPlaces = 1 << 17;
  for (const uint32_t below : {0x3dcc0000U, 0xbdcc0000U, 0x3fff0000U, 0x7f7f0000U, 0x00000000U, 0x80000000U}) {
    for (const uint32_t low : {0x0001U, 0x0800U, 0x4000U, 0x8000U, 0xC123U, 0xFFFFU}) {
      int64_t up = 0;
      for (const uint16_t bits : rounded(std::vector<float>(kPlaces, from_bits(below | low)))) {
        ASSERT_TRUE(bits == below >> 16 || bits == (below >> 16) + 1);
        up += bits != below >> 16;
      }
      const double share = low / 65536.0;
      EXPECT_NEAR(static_cast<double>(up) / kPlaces, share, 5 * std::sqrt(share * (1 - share) / kPlaces));
    }
  }
}

TEST(StochasticRounding, MakesNoNumberOfWhatIsNone) {
  for (const uint32_t bits : {0x7fc00000U, 0x7fffffffU, 0xffffffffU, 0xffc00000U, 0x7f800001U})
    for (const uint16_t out : rounded(std::vector<float>(1000, from_bits(bits)))) ASSERT_EQ(out, 0x7fc0);
}

// Also where the draws begin again, and of a model with more than 2^32 weights.
TEST(StochasticRounding, APieceRoundsAsItDoesWithinTheWhole) {
  const std::vector<float> values = random_values(1000);
  for (const int64_t first : {int64_t{0}, int64_t{77}, kRoundingDraws - 500, 2000 * kRoundingDraws - 333}) {
    const auto whole = rounded(values, first);
    const auto rest = rounded({values.begin() + 333, values.end()}, first + 333);
    EXPECT_TRUE(std::equal(rest.begin(), rest.end(), whole.begin() + 333)) << first;
    EXPECT_EQ(whole, rounded(values, first + kRoundingDraws));
  }
}

// Of neighbours and of rows of usual widths: the errors of a product's terms must not add up.
TEST(StochasticRounding, PlacesDrawByThemselves) {
  constexpr uint32_t kPlaces = 1 << 20;
  const auto centred = [](uint32_t place) { return rounding_draw(place) / 65536.0 - 0.5; };
  const auto correlation = [&](uint32_t lag) {
    double sum = 0;
    for (uint32_t i = 0; i < kPlaces; ++i) sum += centred(i) * centred(i + lag);
    return 12 * sum / kPlaces;
  };
  for (const uint32_t lag : {1U, 2U, 3U, 64U, 576U, 1536U, 2048U, 4096U, 8192U, 24576U, 65536U})
    EXPECT_NEAR(correlation(lag), 0, 0.01) << lag;
  EXPECT_NEAR(correlation(0), 1, 0.01) << "it would show";
}

// What a GPU rounds by operations on tensors, here on the processor's: also where the draws begin again.
TEST(StochasticRounding, IsTheSameBitsWhereADeviceRounds) {
  for (const size_t count : {size_t{1}, size_t{1000}, size_t{kRoundingDraws} + 1017}) {
    std::vector<float> values = random_values(count);
    for (const uint32_t bits : {0x7fc00000U, 0x7fffffffU, 0xffffffffU, 0x7f800001U, 0x7f800000U, 0x7f7fffffU})
      values.insert(values.end(), 50, from_bits(bits));
    const Tensor in = at::empty({std::ssize(values)}, at::kFloat), out = at::empty(in.sizes(), at::kBFloat16);
    std::copy(values.begin(), values.end(), in.mutable_data_ptr<float>());
    round_on_device(in, out);
    const auto ours = rounded(values);
    EXPECT_TRUE(std::equal(ours.begin(), ours.end(), static_cast<const uint16_t*>(out.const_data_ptr())));
  }
}

TEST(ProductCopies, DoNotDependOnThreads) {
  const std::vector<float> values = random_values(100'000);
  const Tensor in = at::empty({std::ssize(values)}, at::kFloat), out = at::empty(in.sizes(), at::kBFloat16);
  std::copy(values.begin(), values.end(), in.mutable_data_ptr<float>());
  const int before = at::get_num_threads();
  for (const int threads : {1, 2}) {
    at::set_num_threads(threads);
    out.zero_();
    round_weights(in, 17, out);
    const auto ours = rounded(values, 17);
    EXPECT_TRUE(std::equal(ours.begin(), ours.end(), static_cast<const uint16_t*>(out.const_data_ptr())));
  }
  at::set_num_threads(before);
}

// What products see of a first update: every weight lies on a bf16 number and moves by a tenth of the way to
// the next.
double seen_of_a_small_update(bool is_lora) {
  constexpr double kUnit = 0x1p-8, kMoved = 0.1 * kUnit;
  ModelTensors tensors;
  Weight weight;
  allocate_parameters(tensors, {{.name = "w", .sizes = {1 << 16}, .weight = &weight}}, Dtype::bf16);
  if (is_lora) tensors.lora.emplace();
  weight.master.fill_(0.75);
  refresh_products(tensors);
  EXPECT_TRUE((weight.value == 0.75).all().item<bool>());
  weight.master.add_(kMoved);
  refresh_products(tensors);
  return weight.value.to(at::kDouble).sub(0.75).mean().item<double>() / kMoved;
}

TEST(ProductCopies, OfAWholeModelShowAnUpdateOfLessThanHalfAUnitInTheMean) {
  EXPECT_NEAR(seen_of_a_small_update(/*is_lora=*/false), 1, 0.06);  // five times the deviation of 2^16 draws
}

TEST(ProductCopies, OfAdaptersAreTheNearest) {
  EXPECT_EQ(seen_of_a_small_update(/*is_lora=*/true), 0);
}

}  // namespace
}  // namespace ranktide
