// Rows of pixels as bytes and as floats. Where there is alpha, floats hold
// colours multiplied by it, so that transparent pixels have no say.

#pragma once

#include <stdint.h>
#include <stddef.h>

// Bytes are pixels in memory.
typedef struct {
	uint8_t *pixels;
	int width, bands, alpha;
} Bytes;

void imaging_to_floats(const uint8_t *pixels, int width, int bands, int alpha, float *row);

// imaging_to_byte rounds.
static inline uint8_t imaging_to_byte(float v) {
	v += 0.5f;
	return v < 0 ? 0 : v > 255 ? 255 : (uint8_t)v;
}

// imaging_write_bytes is a Writer to Bytes, imaging_write_colours one that leaves
// alpha, and the colours where there is none, as they are.
void imaging_write_bytes(void *to, int y, const float *row);
void imaging_write_colours(void *to, int y, const float *row);

// imaging_add_boxes adds one of so many rows to the means of boxes of pixels, of
// which the last may be narrower.
void imaging_add_boxes(const uint8_t *pixels, int width, int bands, int alpha, int across, int rows, float *means);
