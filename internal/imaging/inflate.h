// Fast reading of PNGs: the image data is inflated at once, then rows are restored one by one.

#pragma once

#include <stddef.h>

#include "vips.h"

// PngData is the image data of a PNG without interlacing and with up to 8 bits per sample.
typedef struct {
	// The parts are the contents of the image data chunks.
	const Part *parts;
	int count;
	int width, height;
	// A pixel has samples of depth bits: 1 is grey or an index, 2 grey with alpha, 3 RGB,
	// 4 RGB with alpha.
	int depth, samples;
	// palette has 2 to the power of depth entries of bands bytes. It is NULL if the samples
	// are the bands.
	const uint8_t *palette;
	// bands is the number of bytes per pixel that are returned.
	int bands;
} PngData;

// imaging_inflate decodes a PNG to rows of width × bands bytes. If columns is not NULL, it
// averages boxes of pixels first and then resamples them with the weights. It returns 0, or
// -1 if it was stopped or if the image data has not exactly the expected size, a wrong
// checksum or other faults. It accepts what libpng accepts, and also deflate streams that have
// reserved codes (RFC 1951, 3.2.6), if their bytes have the right checksum.
int imaging_inflate(const PngData *png, Box box, const Weights *columns, const Weights *rows, Stop stop, uint8_t *out);
