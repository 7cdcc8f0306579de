#include "floats.h"

#include "simd.h"

// Colours are integers with this many fraction bits, so that only one rounding follows: that
// of the product with the scale.
enum { COLOUR_BITS = 16, COLOUR_MAX = 255 << COLOUR_BITS };

static inline float scaled(int32_t v, float scale) {
	return scale * (float)(v < 0 ? 0 : v > COLOUR_MAX ? COLOUR_MAX : v);
}

FOR_EACH_CPU
static void convert_ycc(const uint8_t *restrict y, const uint8_t *restrict cb, const uint8_t *restrict cr, int width,
	float *restrict red, float *restrict green, float *restrict blue, float scale) {
	for (int x = 0; x < width; x++) {
		const int32_t luma = y[x] << COLOUR_BITS, b = cb[x] - 128, r = cr[x] - 128;
		red[x] = scaled(luma + 91881 * r, scale);
		green[x] = scaled(luma - 22554 * b - 46802 * r, scale);
		blue[x] = scaled(luma + 116130 * b, scale);
	}
}

void imaging_ycc_to_floats(const uint8_t *y, const uint8_t *cb, const uint8_t *cr, int width, int height,
	const FloatPlanes *to) {
	for (size_t row = 0; row < (size_t)height; row++) {
		const size_t from = row * width, at = row * to->stride;
		convert_ycc(y + from, cb + from, cr + from, width,
			to->red + at, to->green + at, to->blue + at, to->white / COLOUR_MAX);
	}
}

FOR_EACH_CPU
static void convert_rgb(const uint8_t *restrict pixels, int width,
	float *restrict red, float *restrict green, float *restrict blue, float scale) {
	for (int x = 0; x < width; x++, pixels += 3) {
		red[x] = scale * pixels[0];
		green[x] = scale * pixels[1];
		blue[x] = scale * pixels[2];
	}
}

void imaging_rgb_to_floats(const uint8_t *pixels, int width, int height, const FloatPlanes *to) {
	for (size_t row = 0; row < (size_t)height; row++) {
		const size_t at = row * to->stride;
		convert_rgb(pixels + 3 * row * width, width, to->red + at, to->green + at, to->blue + at, to->white / 255);
	}
}
