// A flag that another thread sets to stop a call early.

#pragma once

#include <stdint.h>

typedef const int32_t *Stop;

static inline int imaging_stopped(Stop stop) { return __atomic_load_n(stop, __ATOMIC_RELAXED) != 0; }
