#include "deflate.h"

#include <stdlib.h>
#include <string.h>

#include <libdeflate.h>

#include "simd.h"

enum { FILTERS = 5 };

static inline int16_t magnitude(int16_t v) { return v < 0 ? -v : v; }

// paeth returns whichever of left, above and corner is closest to left + above − corner.
static inline uint8_t paeth(int16_t left, int16_t above, int16_t corner) {
	const int16_t to_left = magnitude(above - corner), to_above = magnitude(left - corner);
	const int16_t to_corner = magnitude(left + above - 2 * corner);
	const int16_t side = to_left <= to_above ? left : above, to_side = to_left <= to_above ? to_left : to_above;
	return to_side <= to_corner ? side : corner;
}

// filter_row writes a row in all filters (ISO/IEC 15948, 9), length bytes each. left, above and
// corner begin one pixel before, above, and above and before the row.
FOR_EACH_CPU
static void filter_row(uint8_t *restrict none, const uint8_t *restrict row, const uint8_t *restrict left,
	const uint8_t *restrict above, const uint8_t *restrict corner, int length) {
	uint8_t *restrict sub = none + length, *restrict up = sub + length;
	uint8_t *restrict mean = up + length, *restrict nearest = mean + length;
	memcpy(none, row, length);
	for (int i = 0; i < length; i++) {
		sub[i] = row[i] - left[i];
		up[i] = row[i] - above[i];
		mean[i] = row[i] - (left[i] + above[i]) / 2;
		nearest[i] = row[i] - paeth(left[i], above[i], corner[i]);
	}
}

// cost estimates the size of a filtered row after compression: the sum of its magnitudes.
FOR_EACH_CPU
static int64_t cost(const int8_t *row, int length) {
	int64_t sum = 0;
	for (int from = 0; from < length; from += 1 << 16) {
		const int end = length - from < 1 << 16 ? length : from + (1 << 16);
		uint32_t part = 0;
		for (int i = from; i < end; i++) part += (uint8_t)magnitude(row[i]);
		sum += part;
	}
	return sum;
}

// filter writes each row with the filter that is estimated to compress best. n is the number of
// channels.
static int filter(uint8_t *to, const uint8_t *pixels, int length, int height, int n, Stop stop) {
	// Each of two rows begins with a pixel of zeros. All filtered rows follow.
	uint8_t *const memory = calloc(2 * (length + n) + FILTERS * length, 1);
	if (memory == NULL) return -1;
	uint8_t *above = memory, *row = above + length + n, *const filtered = row + length + n;
	int stopped = 0;
	for (int y = 0; y < height && !stopped; y++, to += length + 1) {
		memcpy(row + n, pixels + (size_t)y * length, length);
		filter_row(filtered, row + n, row, above + n, above, length);
		int best = 0;
		int64_t least = INT64_MAX;
		for (int i = 0; i < FILTERS; i++) {
			const int64_t c = cost((const int8_t *)filtered + i * length, length);
			if (c < least) least = c, best = i;
		}
		to[0] = best;
		memcpy(to + 1, filtered + best * length, length);
		uint8_t *const swapped = above;
		above = row, row = swapped;
		stopped = imaging_stopped(stop);
	}
	free(memory);
	return stopped ? -1 : 0;
}

// compress compresses size bytes.
static int compress(const uint8_t *from, size_t size, int level, void **data, size_t *compressed) {
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(level);
	if (c == NULL) return -1;
	const size_t bound = libdeflate_zlib_compress_bound(c, size);
	*data = malloc(bound);
	*compressed = *data ? libdeflate_zlib_compress(c, from, size, *data, bound) : 0;
	libdeflate_free_compressor(c);
	if (*compressed > 0) return 0;
	free(*data);
	return -1;
}

int imaging_deflate(const uint8_t *pixels, int width, int height, int channels, int level, Stop stop,
	void **data, size_t *size) {
	const size_t length = (size_t)width * channels, all = (length + 1) * height;
	uint8_t *filtered = malloc(all);
	const int failed = filtered == NULL || filter(filtered, pixels, length, height, channels, stop) ||
		compress(filtered, all, level, data, size);
	free(filtered);
	return failed ? -1 : 0;
}
