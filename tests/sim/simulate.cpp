// simulate --seeds A..B [--loud]: runs seeds A to B and stops at the first that breaks an invariant, with the
// line that runs it again.
// RANKTIDE_SEED_BUG=fencing|ack_before_commit|sync_order|grant_any_life|grant_twice|any_slot plants a bug.

#include <charconv>
#include <cstdio>
#include <string_view>

#include "tests/sim/cluster.h"

namespace {

using ranktide::sim::Cluster;

bool read_range(std::string_view text, uint64_t& first, uint64_t& last) {
  const char* end = text.data() + text.size();
  const auto [dots, wrong] = std::from_chars(text.data(), end, first);
  if (wrong != std::errc{}) return false;
  if (dots == end) {
    last = first;
    return true;
  }
  if (!std::string_view(dots, static_cast<size_t>(end - dots)).starts_with("..")) return false;
  const auto [rest, also_wrong] = std::from_chars(dots + 2, end, last);
  return also_wrong == std::errc{} && rest == end && first <= last;
}

bool run_seed(uint64_t seed, bool is_loud) {
  try {
    const auto result = Cluster({.seed = seed, .is_loud = is_loud}).run();
    std::printf("seed %llu: %lld completed, %lld failed, %llu coordinator lives, history %.12s\n",
                static_cast<unsigned long long>(seed), static_cast<long long>(result.completed),
                static_cast<long long>(result.failed),
                static_cast<unsigned long long>(result.coordinator_lives), result.history_hash.c_str());
    return true;
  } catch (const ranktide::sim::Violation& violation) {
    std::printf("SEED=%llu %s\nrerun: simulate --seeds %llu --loud\n", static_cast<unsigned long long>(seed),
                violation.what(), static_cast<unsigned long long>(seed));
    return false;
  }
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t first = 0;
  uint64_t last = 0;
  const bool is_loud = argc == 4 && std::string_view(argv[3]) == "--loud";
  const bool is_understood = (argc == 3 || is_loud) && std::string_view(argv[1]) == "--seeds";
  if (!is_understood || !read_range(argv[2], first, last)) {
    std::fprintf(stderr, "usage: simulate --seeds A..B [--loud]\n");
    return 2;
  }
  for (uint64_t seed = first; seed <= last; ++seed)
    if (!run_seed(seed, is_loud)) return 1;
  return 0;
}
