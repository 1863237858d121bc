#include "common/model/processor.h"

#include <gtest/gtest.h>

#include "tests/common/model/scratch.h"

namespace ranktide {
namespace {

Processor processor_of(const std::string& cpuinfo) {
  const Scratch folder;
  return this_processor(folder.put("cpuinfo", cpuinfo));
}

TEST(Processor, IsTheFirstOneOfTheKernelsList) {
  const Processor found = processor_of(
      "processor\t: 0\nmodel name\t: Fast One\nflags\t\t: fpu avx2 avx512f\n\n"
      "processor\t: 1\nmodel name\t: Other\nflags\t\t: fpu\n");
  EXPECT_EQ(found.name, "Fast One");
  EXPECT_EQ(found.instructions, "avx512f");
}

TEST(Processor, InstructionsAreTheWidestThatItHas) {
  EXPECT_EQ(processor_of("flags\t: avx2 avx512f avx512_bf16\n").instructions, "avx512_bf16");
  EXPECT_EQ(processor_of("flags\t: avx avx2\n").instructions, "avx2");
  EXPECT_EQ(processor_of("flags\t: sse4_2\n").instructions, "plain");
}

TEST(Processor, WidensBf16UnlessAvx512IsThere) {
  EXPECT_FALSE(widens_bf16({.name = "", .instructions = "avx512_bf16"}));
  EXPECT_FALSE(widens_bf16({.name = "", .instructions = "avx512f"}));
  EXPECT_TRUE(widens_bf16({.name = "", .instructions = "avx2"}));
  EXPECT_TRUE(widens_bf16({.name = "", .instructions = "plain"}));
}

TEST(Processor, WithoutANameIsUnknown) {
  EXPECT_EQ(processor_of("CPU part\t: 0xd0c\n").name, "unknown");
  EXPECT_EQ(this_processor("/no/such/file").name, "unknown");
}

}  // namespace
}  // namespace ranktide
