#include "blur8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "simd.h"

// Samples are centred and doubled, so that a pair of samples has the scale of one sample.
// Between the two passes of a blur they are multiplied by 128.
enum { DOUBLED_CENTRE = 255, BLOCK = 64 };

// Unsharp is a factor of 1 / 2^shift.
typedef struct {
	int factor, shift;
} Unsharp;

struct Blur8 {
	const Plane *plane;
	Gauss2D gauss;
	Unsharp amount;
	int stride;
	uint8_t *ring; // copies of the last rows, as many as the weights cover
	const uint8_t **above, **below;
	int16_t *mixed;
	int read, next; // rows of the plane that are in the ring, and the next row of the output
};

static int padded(int n) { return (n + BLOCK - 1) / BLOCK * BLOCK; }

static int reflected(int i, int n) {
	i = (i % (2 * n) + 2 * n) % (2 * n);
	return i < n ? i : 2 * n - 1 - i;
}

// combine_rows computes the weighted sums of pairs of rows, above and below the middle.
FOR_EACH_CPU
static void combine_rows(int16_t *restrict out, const uint8_t *const *above, const uint8_t *const *below,
	Gauss8 gauss, int n) {
	for (int i = 0; i < n; i += BLOCK) {
		int32_t sums[BLOCK] = {0};
		for (int j = 0; j <= gauss.radius; j++) {
			const uint8_t *a = above[j] + i, *b = below[j] + i;
			const int16_t weight = gauss.weights[j];
			int16_t pairs[BLOCK];
			for (int x = 0; x < BLOCK; x++) pairs[x] = a[x] + b[x] - DOUBLED_CENTRE;
			for (int x = 0; x < BLOCK; x++) sums[x] += pairs[x] * weight;
		}
		for (int x = 0; x < BLOCK; x++) out[i + x] = (sums[x] + 128) >> 8;
	}
}

// combine_columns computes the weighted sums of pairs of numbers, left and right of the
// middle, and the difference to the samples.
FOR_EACH_CPU
static void combine_columns(int16_t *restrict out, const int16_t *row, const uint8_t *samples,
	Gauss8 gauss, Unsharp amount, int n) {
	for (int i = 0; i < n; i += BLOCK) {
		int32_t sums[BLOCK] = {0};
		for (int j = 0; j <= gauss.radius; j++) {
			const int16_t *a = row + i - j, *b = row + i + j;
			const int16_t weight = gauss.weights[j];
			for (int x = 0; x < BLOCK; x++) sums[x] += (int16_t)(a[x] + b[x]) * weight;
		}
		for (int x = 0; x < BLOCK; x++) {
			const int32_t sample = (2 * samples[i + x] - DOUBLED_CENTRE) * (1 << 21);
			const int32_t difference = (sample - sums[x] + (1 << 14)) >> 15;
			out[i + x] = (difference * amount.factor + (64 << amount.shift)) >> (7 + amount.shift);
		}
	}
}

// unsharp returns the factor for an amount, with as many bits as 16 bits allow.
static Unsharp unsharp(float amount) {
	Unsharp u = {0, 14};
	while (amount * (1 << u.shift) > INT16_MAX || amount * (1 << u.shift) < INT16_MIN) u.shift--;
	u.factor = (int)lrintf(amount * (1 << u.shift));
	return u;
}

static void *allocate(size_t size) {
	void *memory = calloc(1, size);
	if (memory == NULL) abort();
	return memory;
}

Blur8 *imaging_blur8_new(const Plane *plane, const Gauss2D *gauss, float amount) {
	Blur8 *b = allocate(sizeof *b);
	const int stride = padded(plane->width), rows = gauss->rows.radius + 1;
	*b = (Blur8){
		.plane = plane, .gauss = *gauss, .amount = unsharp(amount), .stride = stride,
		.ring = allocate((size_t)stride * (2 * rows - 1)),
		.above = allocate(rows * sizeof(uint8_t *)), .below = allocate(rows * sizeof(uint8_t *)),
		.mixed = allocate((stride + 2 * padded(gauss->columns.radius)) * sizeof(int16_t)),
	};
	return b;
}

void imaging_blur8_free(Blur8 *b) {
	free(b->ring);
	free(b->above);
	free(b->below);
	free(b->mixed);
	free(b);
}

static uint8_t *ring_row(const Blur8 *b, int y) {
	return b->ring + (size_t)b->stride * (y % (2 * b->gauss.rows.radius + 1));
}

void imaging_blur8_row(Blur8 *b, int16_t *out) {
	const int width = b->plane->width, height = b->plane->height, y = b->next++;
	const Gauss8 columns = b->gauss.columns, rows = b->gauss.rows;
	for (; b->read < height && b->read <= y + rows.radius; b->read++)
		memcpy(ring_row(b, b->read), b->plane->samples + (size_t)b->read * width, width);
	for (int j = 0; j <= rows.radius; j++) {
		b->above[j] = ring_row(b, reflected(y - j, height));
		b->below[j] = ring_row(b, reflected(y + j, height));
	}
	int16_t *row = b->mixed + padded(columns.radius);
	combine_rows(row, b->above, b->below, rows, b->stride);
	for (int j = 1; j <= columns.radius; j++) {
		row[-j] = row[reflected(-j, width)];
		row[width - 1 + j] = row[reflected(width - 1 + j, width)];
	}
	combine_columns(out, row, b->above[0], columns, b->amount, b->stride);
}

FOR_EACH_CPU
static void add_row(uint8_t *samples, const int16_t *added, int n) {
	for (int x = 0; x < n; x++) samples[x] += added[x];
}

int imaging_blur8(const Plane *plane, const Gauss2D *gauss, Stop stop) {
	Blur8 *b = imaging_blur8_new(plane, gauss, -1);
	int16_t *row = allocate(b->stride * sizeof(int16_t));
	int stopped = 0;
	for (int y = 0; y < plane->height && !stopped; y++) {
		imaging_blur8_row(b, row);
		add_row(plane->samples + (size_t)y * plane->width, row, plane->width);
		stopped = imaging_stopped(stop);
	}
	free(row);
	imaging_blur8_free(b);
	return stopped ? -1 : 0;
}
