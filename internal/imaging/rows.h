// Conversion of pixel rows between bytes and floats. With alpha, the floats hold
// premultiplied colours, so that transparent pixels do not contribute.

#pragma once

#include <stdint.h>
#include <stddef.h>

#include "resample.h"

// Bytes are the pixels of an image in memory, without padding between rows.
typedef struct {
	uint8_t *pixels;
	int width, bands, alpha; // alpha: 1 if the last band is alpha, or 0
} Bytes;

void imaging_to_floats(const uint8_t *pixels, int width, int bands, int alpha, float *row);

// imaging_to_byte rounds to the nearest integer and clamps to 0 … 255.
static inline uint8_t imaging_to_byte(float v) {
	v += 0.5f;
	return v < 0 ? 0 : v > 255 ? 255 : (uint8_t)v;
}

// imaging_write_bytes is a Writer to Bytes.
void imaging_write_bytes(void *to, int y, const float *row);

// imaging_write_colours is a Writer to Bytes that keeps alpha, and the colours of
// transparent pixels.
void imaging_write_colours(void *to, int y, const float *row);

// imaging_add_boxes adds one row of pixels to the means of boxes that are across pixels
// wide and rows pixels high. The last box may be narrower.
void imaging_add_boxes(const uint8_t *pixels, int width, int bands, int alpha, int across, int rows, float *means);

// Boxes are the rows of an image of bytes and the boxes of pixels that are averaged. The last
// boxes may be smaller.
typedef struct {
	const uint8_t *(*next)(void *from, int y); // returns row y, or NULL if it failed; called in order
	void *from;
	int width, height, bands, alpha; // of the image; alpha as in Bytes
	int across, down;                // size of a box in pixels
	int first;                       // first row of boxes that is needed
} Boxes;

// imaging_resample_boxes resamples the means of boxes into out. It reads all rows, since those
// beside the outputs may be damaged, and returns what imaging_resample does.
int imaging_resample_boxes(Boxes b, const Weights *columns, const Weights *rows, Stop stop, uint8_t *out);
