// Resampling of rows that Go decodes.

#pragma once

#include <stdint.h>

#include "vips.h"

// imaging_resample_rows averages boxes of pixels and resamples them into out. The rows are those
// of an image of width × height pixels with bands bytes, of which the last of four is alpha.
// reader is a handle of Go, which provides each row once, from the top down. It returns 0, or -1
// if it was stopped.
int imaging_resample_rows(uintptr_t reader, int width, int height, int bands, Box box,
	const Weights *columns, const Weights *rows, Stop stop, uint8_t *out);
