#pragma once
// RT_CHECK: what must hold whatever the input is. Not for bad input or failed I/O (those throw at the edges).
// Always on; prints the place and aborts, because a process whose memory is wrong must not speak or write.

#include <cstdio>
#include <cstdlib>

namespace ranktide::detail {

[[noreturn]] inline void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: RT_CHECK failed: %s\n", file, line, condition);
  std::abort();
}

}  // namespace ranktide::detail

#define RT_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::ranktide::detail::check_failed(#condition, __FILE__, __LINE__))
