// What is compiled for several processors is chosen when the program starts.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx2,fma", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif
