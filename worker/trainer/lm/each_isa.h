#pragma once
// Before a function's definition: it is compiled once for each of these instruction sets of x86, and the best
// that the processor has is taken when the program starts. Elsewhere it is compiled once. A test, which
// compiles a file for one instruction set more, defines it as nothing.

#ifndef RANKTIDE_FOR_EACH_ISA
#if defined(__x86_64__)
#define RANKTIDE_FOR_EACH_ISA [[gnu::target_clones("avx512f", "avx2", "default")]]
#else
#define RANKTIDE_FOR_EACH_ISA
#endif
#endif
