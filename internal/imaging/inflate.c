#include "inflate.h"

#include <stdlib.h>
#include <string.h>

#include <libdeflate.h>

#include "rows.h"
#include "simd.h"

// SLACK is the number of bytes behind the rows that are read with the last pixel.
enum { SLACK = 8 };

// Inflated is a PNG whose rows are restored in place, from the top down.
typedef struct {
	const PngData *png;
	Stop stop;
	size_t length;  // of a row, without the byte that names its filter
	uint8_t *data;  // all rows, each after its filter
	uint8_t *pixels; // the last row expanded to bands, if that is necessary
} Inflated;

// joined returns the parts in one piece of memory, or NULL. The caller frees *owned.
static const void *joined(const Part *parts, int count, Stop stop, size_t *size, void **owned) {
	*owned = NULL, *size = 0;
	if (count == 1) {
		*size = parts[0].size;
		return parts[0].data;
	}
	for (int i = 0; i < count; i++) *size += parts[i].size;
	uint8_t *to = *owned = malloc(*size + 1);
	if (to == NULL) return NULL;
	for (int i = 0; i < count && !imaging_stopped(stop); to += parts[i++].size)
		memcpy(to, parts[i].data, parts[i].size);
	return imaging_stopped(stop) ? NULL : *owned;
}

// fits_window reports whether zlib could copy from any of size bytes: the window that a stream
// declares (RFC 1950) holds all of them, or is the largest. libdeflate does not limit distances.
static int fits_window(const uint8_t *stream, size_t length, size_t size) {
	const int largest = 7, window = length > 0 ? stream[0] >> 4 : 0;
	return window == largest || size <= (size_t)256 << window;
}

// inflate returns size bytes of image data, or NULL. It cannot be stopped while it inflates.
static uint8_t *inflate(const PngData *png, size_t size, Stop stop) {
	size_t compressed;
	void *owned;
	const void *from = joined(png->parts, png->count, stop, &compressed, &owned);
	struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
	uint8_t *to = malloc(size + SLACK);
	int failed = from == NULL || d == NULL || to == NULL || !fits_window(from, compressed, size);
	failed = failed || libdeflate_zlib_decompress(d, from, compressed, to, size, NULL) != LIBDEFLATE_SUCCESS;
	libdeflate_free_decompressor(d);
	free(owned);
	if (!failed) return to;
	free(to);
	return NULL;
}

typedef uint8_t Bytes4 __attribute__((vector_size(4)));
typedef int16_t Pixel __attribute__((vector_size(8)));

static inline Pixel load(const uint8_t *from) {
	Bytes4 b;
	memcpy(&b, from, sizeof b);
	return __builtin_convertvector(b, Pixel);
}

static inline Pixel magnitude(Pixel v) {
	const Pixel sign = v >> 15;
	return (v ^ sign) - sign;
}

// paeth returns whichever of left, above and corner is closest to left + above − corner.
static inline Pixel paeth(Pixel left, Pixel above, Pixel corner) {
	const Pixel a = above - corner, b = left - corner;
	const Pixel to_left = magnitude(a), to_above = magnitude(b), to_corner = magnitude(a + b);
	const Pixel use_left = (Pixel)(to_left <= to_above) & (Pixel)(to_left <= to_corner);
	const Pixel use_above = ~use_left & (Pixel)(to_above <= to_corner);
	return (left & use_left) | (above & use_above) | (corner & ~use_left & ~use_above);
}

// restore_pixels undoes the filters that need the pixel before, of bpp bytes each.
static inline __attribute__((always_inline)) void restore_pixels(
	int filter, uint8_t *row, const uint8_t *above, size_t length, size_t bpp) {
	Pixel left = {0}, corner = {0};
	for (size_t i = 0; i < length; i += bpp) {
		const Pixel up = above ? load(above + i) : (Pixel){0};
		Pixel add = left;
		if (filter == 3) add = (left + up) >> 1;
		if (filter == 4) add = paeth(left, up, corner);
		left = (load(row + i) + add) & 255;
		corner = up;
		const Bytes4 b = __builtin_convertvector(left, Bytes4);
		memcpy(row + i, &b, bpp);
	}
}

FOR_EACH_CPU
static void restore_up(uint8_t *restrict row, const uint8_t *restrict above, size_t length) {
	for (size_t i = 0; i < length; i++) row[i] += above[i];
}

// restore undoes the filter of a row of pixels of bpp bytes (ISO/IEC 15948, 9). above is the
// restored row above, or NULL. It returns -1 if the filter is unknown.
FOR_EACH_CPU
static int restore(int filter, uint8_t *row, const uint8_t *above, size_t length, int bpp) {
	if (filter > 4) return -1;
	if (filter == 2 && above) restore_up(row, above, length);
	if (filter == 0 || filter == 2) return 0;
#define RESTORE(f, n) if (filter == f && bpp == n) restore_pixels(f, row, above, length, n)
#define RESTORE_ALL(n) RESTORE(1, n); RESTORE(3, n); RESTORE(4, n)
	RESTORE_ALL(1);
	RESTORE_ALL(2);
	RESTORE_ALL(3);
	RESTORE_ALL(4);
	return 0;
}

// expand looks the samples of a row up in the palette, or scales samples of less than 8 bits.
static void expand(const PngData *png, const uint8_t *row, uint8_t *out) {
	const int mask = (1 << png->depth) - 1, bands = png->bands;
	for (int x = 0; x < png->width; x++, out += bands) {
		const int bit = x * png->depth, sample = row[bit >> 3] >> (8 - png->depth - (bit & 7)) & mask;
		if (png->palette) memcpy(out, png->palette + sample * bands, bands);
		else *out = sample * 255 / mask;
	}
}

// next_row returns the pixels of row y, or NULL. The rows are read once each, in order.
static const uint8_t *next_row(void *from, int y) {
	Inflated *in = from;
	const PngData *png = in->png;
	uint8_t *row = in->data + (in->length + 1) * y + 1;
	const int bpp = png->depth == 8 ? png->samples : 1;
	if (restore(row[-1], row, y ? row - in->length - 1 : NULL, in->length, bpp)) return NULL;
	if (in->pixels == NULL) return row;
	expand(png, row, in->pixels);
	return in->pixels;
}

static int has_alpha(const PngData *png) { return png->bands == 2 || png->bands == 4; }

static int copy_rows(Inflated *in, uint8_t *out) {
	const size_t length = (size_t)in->png->width * in->png->bands;
	for (int y = 0; y < in->png->height; y++, out += length) {
		const uint8_t *pixels = imaging_stopped(in->stop) ? NULL : next_row(in, y);
		if (pixels == NULL) return -1;
		memcpy(out, pixels, length);
	}
	return 0;
}

int imaging_inflate(const PngData *png, Box box, const Weights *columns, const Weights *rows, Stop stop, uint8_t *out) {
	Inflated in = {.png = png, .stop = stop};
	in.length = ((size_t)png->width * png->samples * png->depth + 7) / 8;
	in.data = inflate(png, (in.length + 1) * png->height, stop);
	int failed = in.data == NULL;
	if (!failed && (png->palette || png->depth < 8)) {
		in.pixels = malloc((size_t)png->width * png->bands + SLACK);
		failed = in.pixels == NULL;
	}
	if (!failed && columns == NULL) failed = copy_rows(&in, out);
	else if (!failed) {
		const Boxes boxes = {next_row, &in, png->width, png->height, png->bands, has_alpha(png), box.across, box.down};
		failed = imaging_resample_boxes(boxes, columns, rows, stop, out);
	}
	free(in.pixels);
	free(in.data);
	return failed ? -1 : 0;
}
