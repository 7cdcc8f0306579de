// Fast writing of PNGs: rows are filtered, then compressed at once.

#pragma once

#include <stddef.h>
#include <stdint.h>

#include "stop.h"

// imaging_deflate filters and compresses the image data of a PNG of 1 to 4 channels of 8 bits. level
// is in 1 … 9.
// The caller frees *data with free. It returns 0, or -1 if it was stopped or memory ran out.
int imaging_deflate(const uint8_t *pixels, int width, int height, int channels, int level, Stop stop,
	void **data, size_t *size);
