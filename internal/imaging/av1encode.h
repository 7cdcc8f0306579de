// Lossless AV1 by libaom. libvips and libheif convert colours to YCbCr, which loses some.

#pragma once

#include <stddef.h>
#include <stdint.h>

// imaging_encode_av1 encodes rows of RGB or RGBA as one frame of AV1 without loss, in one thread: the
// colours in 4:4:4 as planes of green, blue and red, or with is_alpha the alpha channel as grey. speed is
// in 5 … 9. The caller frees *data with free. It returns 0, or -1 if it failed.
int imaging_encode_av1(const uint8_t *pixels, int width, int height, int channels, int is_alpha, int speed,
	void **data, size_t *size);
