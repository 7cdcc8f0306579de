// A call stops early when another thread sets its flag.

#pragma once

#include <stdint.h>

typedef const int32_t *Stop;

static inline int imaging_stopped(Stop stop) { return __atomic_load_n(stop, __ATOMIC_RELAXED) != 0; }
