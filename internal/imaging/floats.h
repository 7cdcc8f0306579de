// Conversion of pixels and planes to planes of floats, the input of models.

#pragma once

#include <stddef.h>
#include <stdint.h>

#include "plane.h"

// FloatPlanes are planes of floats. The number at column x of row y of the source is right · x +
// down · y numbers behind the first one. White is the number for a sample of 255; black is 0.
typedef struct {
	float *red, *green, *blue;
	ptrdiff_t right, down;
	float white;
} FloatPlanes;

// imaging_planes_to_floats converts row y of 1 plane of grey, or of 3 planes of YCbCr of the same
// size, by the formulas of JFIF with coefficients of 16 fraction bits. Colours outside the range
// are clamped and not rounded. The numbers are the same on every CPU.
void imaging_planes_to_floats(const Plane *planes, int count, int y, const FloatPlanes *to);

// imaging_rgb_to_floats converts rows of pixels of 3 bytes without padding.
void imaging_rgb_to_floats(const uint8_t *pixels, int width, int height, const FloatPlanes *to);
