// FOR_EACH_CPU compiles a function for AVX2 and for any CPU. The program chooses one at
// start.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EACH_CPU __attribute__((target_clones("avx2,fma", "default")))
#else
#define FOR_EACH_CPU
#endif
