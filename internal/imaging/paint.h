// Painting on the coefficients of a JPEG. If the quantization tables are kept, the blocks that
// are not painted keep their coefficients and so their quality.

#pragma once

#include "planes.h"

// Patch is a rectangle inside the image. The pixel at (x, y) of its source has the bytes red,
// green, blue and straight alpha at pixels + y * row + x * pixel. The source has width x height
// pixels and is repeated. The one at (left, top) is painted at the top left corner.
typedef struct {
	Frame at, source;
	const uint8_t *pixels;
	size_t row, pixel;
} Patch;

// imaging_paint paints patches, later ones over earlier ones, on a JPEG of YCbCr, and encodes
// it with the same sampling factors. With quality 0 it keeps the quantization tables;
// otherwise it quantizes all coefficients again with the tables of that quality, in 1 … 100.
// optimize asks for Huffman codes made for the coefficients. The caller frees *data with free.
Damage imaging_paint(const Part *parts, int count, const Patch *patches, int patch_count,
	int quality, int optimize, Stop stop, unsigned char **data, unsigned long *size);
