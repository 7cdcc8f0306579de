// Reading of TIFFs with layouts that libvips does not support, by libtiff.

#pragma once

#include "vips.h"

// TiffLayout is the layout of samples, checked by the header parser.
typedef struct {
	// bits is 1 to 16 or 32 for unsigned integers, 16, 32 or 64 for floats.
	int bits, is_float;
	// A pixel has samples, of which the first colours are grey or RGB, and alpha is the number of
	// the alpha sample, counted from 1 after the colours; 0 means no alpha.
	int samples, colours, alpha;
	int planes; // 1, or samples if each has a plane of its own
	int white_is_zero, is_associated; // is_associated: colours are multiplied by alpha
	// wide and high are the size of a tile in pixels, or 0 for strips of strip rows.
	int wide, high, strip;
	// is_ycc: subsampled YCbCr of 8 bits, in strips.
	int is_ycc;
} TiffLayout;

// imaging_decode_tiff decodes a TIFF to rows of sRGB with 3 channels, or 4 with straight alpha. If
// columns is not NULL, it averages boxes of pixels first and then resamples them with the weights. All
// values of unsigned integers, and floats from 0 to 1, are mapped linearly to 0 to 255. Floats beyond
// are clipped, and NaN is 0. It returns 0, or -1 if it was stopped or the data is damaged.
int imaging_decode_tiff(const EncodedImage *image, const TiffLayout *layout, Box box,
	const Weights *columns, const Weights *rows, uint8_t *out);
