// Palettes for GIFs.

#pragma once

#include <stdint.h>

// MAX_COLOURS is the maximum number of colours of a palette; a further index stands for transparency.
enum { MAX_COLOURS = 255 };

// imaging_quantize chooses the colours of width × height pixels with 3 or 4 channels and writes the
// index of each pixel. Up to MAX_COLOURS colours stay as they are. Of more, the palette is made by
// splitting the box with the largest variance at its mean (S. J. Wan, P. Prusinkiewicz and S. K. M. Wong,
// "Variance-based color image quantization", 1990), and the error is diffused (Floyd and Steinberg).
// Pixels with an alpha below 128, and those equal to the same pixel of before, are transparent: their
// index is the number of colours. before has the same layout, or is NULL. palette gets RGB. It returns
// the number of colours, or -1 if memory runs out.
int imaging_quantize(const uint8_t *pixels, const uint8_t *before, int width, int height, int channels,
	uint8_t palette[3 * MAX_COLOURS], uint8_t *indices);
