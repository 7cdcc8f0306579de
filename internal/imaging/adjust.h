// Filters of the colours of planes and pixels of bytes. The results are the same on every CPU.

#pragma once

#include "blur8.h"
#include "rows.h"

// Adjustment is a filter that is linear where it does not clip. A colour v in 0 … 255 of a
// pixel with the luma y becomes own · v + luma · y + offset + sharpen · (y − blurred y).
typedef struct {
	float own, luma, offset; // own and own + luma are in 0 … 5
	float sharpen;           // in −10 … 10
	const Gauss2D *blur;     // NULL if sharpen is 0
} Adjustment;

// imaging_adjust adjusts 1 plane of grey, or the planes of a JPEG with 4:2:0. Where R, G or B
// of a pixel is outside of 0 … 255, before or after, the pixels of a sample of Cb and Cr are
// adjusted in RGB. It returns 0, or -1 if it was stopped.
int imaging_adjust(const Plane *planes, int count, const Adjustment *a, Stop stop);

// imaging_adjust_pixels adjusts pixels without sharpening. It returns 0, or -1 if it was
// stopped.
int imaging_adjust_pixels(const Bytes *b, int height, const Adjustment *a, Stop stop);
