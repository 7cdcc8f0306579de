// Conversion of pixels to planes of floats, the input of models.

#pragma once

#include <stddef.h>
#include <stdint.h>

// FloatPlanes are rows of floats, stride numbers apart. White is the number for a sample of
// 255; black is 0.
typedef struct {
	float *red, *green, *blue;
	size_t stride;
	float white;
} FloatPlanes;

// imaging_ycc_to_floats converts planes of width × height samples without padding by the
// formulas of JFIF, with coefficients of 16 fraction bits. Colours outside the range are
// clamped and not rounded. The numbers are the same on every CPU.
void imaging_ycc_to_floats(const uint8_t *y, const uint8_t *cb, const uint8_t *cr, int width, int height,
	const FloatPlanes *to);

// imaging_rgb_to_floats converts rows of pixels of 3 bytes without padding.
void imaging_rgb_to_floats(const uint8_t *pixels, int width, int height, const FloatPlanes *to);
