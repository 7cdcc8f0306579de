#include "floats.h"

#include "simd.h"

// Colours are integers with this many fraction bits, so that only one rounding follows: that
// of the quotient. A product with 1 / 255 would differ from it in the last bit.
enum { COLOUR_BITS = 16, COLOUR_MAX = 255 << COLOUR_BITS };

// quotient has a form that compilers make vectors of.
static inline float quotient(int32_t v, float divisor) {
	v = v < 0 ? 0 : v;
	v = v > COLOUR_MAX ? COLOUR_MAX : v;
	return (float)v / divisor;
}

FOR_EACH_CPU
static void convert_ycc(const uint8_t *restrict y, const uint8_t *restrict cb, const uint8_t *restrict cr, int width,
	float *restrict red, float *restrict green, float *restrict blue, float divisor) {
	for (int x = 0; x < width; x++) {
		const int32_t luma = y[x] << COLOUR_BITS, b = cb[x] - 128, r = cr[x] - 128;
		red[x] = quotient(luma + 91881 * r, divisor);
		green[x] = quotient(luma - 22554 * b - 46802 * r, divisor);
		blue[x] = quotient(luma + 116130 * b, divisor);
	}
}

FOR_EACH_CPU
static void convert_grey(const uint8_t *restrict y, int width,
	float *restrict red, float *restrict green, float *restrict blue, float divisor) {
	for (int x = 0; x < width; x++) red[x] = green[x] = blue[x] = (float)(y[x] << COLOUR_BITS) / divisor;
}

static void convert(const Plane *planes, int count, size_t at, int width, float *red, float *green, float *blue, float white) {
	const uint8_t *y = planes->samples + at;
	const float divisor = COLOUR_MAX / white;
	if (count == 1) convert_grey(y, width, red, green, blue, divisor);
	else convert_ycc(y, planes[1].samples + at, planes[2].samples + at, width, red, green, blue, divisor);
}

void imaging_planes_to_floats(const Plane *planes, int count, int y, const FloatPlanes *to) {
	enum { CHUNK = 256 };
	const int width = planes->width;
	const size_t from = (size_t)y * width;
	float *red = to->red + y * to->down, *green = to->green + y * to->down, *blue = to->blue + y * to->down;
	if (to->right == 1) {
		convert(planes, count, from, width, red, green, blue, to->white);
		return;
	}
	for (int first = 0; first < width; first += CHUNK) {
		const int n = width - first < CHUNK ? width - first : CHUNK;
		float numbers[3][CHUNK];
		convert(planes, count, from + first, n, numbers[0], numbers[1], numbers[2], to->white);
		for (int x = 0; x < n; x++) {
			const ptrdiff_t at = (first + x) * to->right;
			red[at] = numbers[0][x], green[at] = numbers[1][x], blue[at] = numbers[2][x];
		}
	}
}

FOR_EACH_CPU
static void convert_rgb(const uint8_t *restrict pixels, int width,
	float *restrict red, float *restrict green, float *restrict blue, float divisor) {
	for (int x = 0; x < width; x++, pixels += 3) {
		red[x] = pixels[0] / divisor;
		green[x] = pixels[1] / divisor;
		blue[x] = pixels[2] / divisor;
	}
}

// convert_rgb_apart is convert_rgb for numbers that are not neighbours.
static void convert_rgb_apart(const uint8_t *pixels, int width, float *red, float *green, float *blue, float divisor,
	ptrdiff_t right) {
	for (int x = 0; x < width; x++, pixels += 3) {
		red[x * right] = pixels[0] / divisor;
		green[x * right] = pixels[1] / divisor;
		blue[x * right] = pixels[2] / divisor;
	}
}

void imaging_rgb_to_floats(const uint8_t *pixels, int width, int height, const FloatPlanes *to) {
	for (size_t row = 0; row < (size_t)height; row++) {
		const uint8_t *from = pixels + 3 * row * width;
		float *red = to->red + row * to->down, *green = to->green + row * to->down, *blue = to->blue + row * to->down;
		if (to->right == 1) convert_rgb(from, width, red, green, blue, 255 / to->white);
		else convert_rgb_apart(from, width, red, green, blue, 255 / to->white, to->right);
	}
}
