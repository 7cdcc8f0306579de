#include "resample.h"

#include <stdlib.h>
#include <string.h>

#include "simd.h"

typedef float float4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t int4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef float float8 __attribute__((vector_size(32), aligned(4), may_alias));

// Buffers are padded to whole blocks of floats.
enum { BLOCK = 32 };

static size_t padded(int n) { return ((size_t)n + BLOCK) / BLOCK * BLOCK + BLOCK; }

// combine_rows computes the weighted sum of count rows of n numbers.
FOR_EACH_CPU
static void combine_rows(float *out, float *const *rows, const float *weights, int count, int n) {
	for (int i = 0; i < n; i += BLOCK) {
		float8 a = {0}, b = {0}, c = {0}, d = {0};
		for (int j = 0; j < count; j++) {
			const float w = weights[j];
			const float8 *in = (const float8 *)(rows[j] + i);
			a += w * in[0], b += w * in[1], c += w * in[2], d += w * in[3];
		}
		float8 *to = (float8 *)(out + i);
		to[0] = a, to[1] = b, to[2] = c, to[3] = d;
	}
}

// combine_columns computes a row of outputs from a row of inputs, of which the first is input
// left. A vector holds one pixel and, if it has fewer than four bands, the start of the next one.
FOR_EACH_CPU
static void combine_columns(float *out, const float *row, int left, const Weights *w, int bands) {
	for (int x = 0; x < w->outputs; x++) {
		const float *in = row + (size_t)(w->first[x] - left) * bands, *weights = w->weights + (size_t)x * w->count;
		float4 even = {0}, odd = {0};
		int j = 0;
		for (; j + 1 < w->count; j += 2) {
			even += weights[j] * *(const float4 *)(in + j * bands);
			odd += weights[j + 1] * *(const float4 *)(in + (j + 1) * bands);
		}
		if (j < w->count) even += weights[j] * *(const float4 *)(in + j * bands);
		*(float4 *)(out + (size_t)x * bands) = even + odd;
	}
}

// OpenCV's INTER_LINEAR of bytes (modules/imgproc/src/resize.cpp, HResizeLinear and VResizeLinear) combines
// columns first, and cuts off sums of a row below CUT_SUM_BITS fraction bits, and weighted sums below CUT_BITS.
enum { CUT_SUM_BITS = 7, CUT_BITS = 2 };

// Cut are the rows of integers that outputs of such weights are made of.
typedef struct {
	int32_t *sums, *rows; // of the output; the last count rows of inputs, combined
	int *made;            // which input row each of these is
	size_t stride;
} Cut;

static Cut new_cut(int count, size_t stride) {
	Cut c = {malloc((count + 1) * stride * sizeof(int32_t)), NULL, malloc(count * sizeof(int)), stride};
	if (c.sums == NULL || c.made == NULL) abort();
	c.rows = c.sums + stride;
	for (int j = 0; j < count; j++) c.made[j] = -1;
	return c;
}

// cut_columns is combine_columns for integers.
FOR_EACH_CPU
static void cut_columns(int32_t *out, const float *row, int left, const Weights *w, int bands) {
	for (int x = 0; x < w->outputs; x++) {
		const float *in = row + (size_t)(w->first[x] - left) * bands, *weights = w->weights + (size_t)x * w->count;
		float4 sum = {0};
		for (int j = 0; j < w->count; j++) sum += weights[j] * *(const float4 *)(in + j * bands);
		*(int4 *)(out + (size_t)x * bands) = __builtin_convertvector(sum * (1 << CUT_SUM_BITS), int4);
	}
}

// cut_rows adds a row of cut_columns to sums of rows.
FOR_EACH_CPU
static void cut_rows(int32_t *restrict sums, const int32_t *restrict row, float weight, int n) {
	const int32_t w = weight * (1 << CUT_WEIGHT_BITS);
	for (int i = 0; i < n; i++) sums[i] += row[i] * w >> (CUT_WEIGHT_BITS + CUT_SUM_BITS - CUT_BITS);
}

// cut_pixels computes output row y from the input rows in window.
static void cut_pixels(float *out, Cut c, float *const *window, int y, const Weights *columns, const Weights *rows, int bands) {
	const int n = columns->outputs * bands;
	memset(c.sums, 0, n * sizeof *c.sums);
	for (int j = 0; j < rows->count; j++) {
		const float weight = rows->weights[(size_t)y * rows->count + j];
		const int at = rows->first[y] + j, slot = at % rows->count;
		int32_t *row = c.rows + slot * c.stride;
		if (weight == 0) continue;
		if (c.made[slot] != at) cut_columns(row, window[j], columns->first[0], columns, bands);
		c.made[slot] = at;
		cut_rows(c.sums, row, weight, n);
	}
	for (int i = 0; i < n; i++) out[i] = (c.sums[i] + (1 << (CUT_BITS - 1))) >> CUT_BITS;
}

int imaging_resample(Reader read, void *from, int width, int bands,
	const Weights *columns, const Weights *rows, Writer write, void *to, Stop stop) {
	const size_t in = padded(width * bands), out = padded(columns->outputs * bands);
	const int count = rows->count, left = columns->first[0];
	const int needed = columns->first[columns->outputs - 1] + columns->count - left;
	// A ring buffer holds the last count rows.
	float *memory = calloc(in * (count + 1) + out, sizeof(float));
	float **window = malloc(count * sizeof(float *));
	if (memory == NULL || window == NULL) abort();
	Cut cut = {0};
	if (rows->cut) cut = new_cut(count, out);
	float *mixed = memory + in * count, *done = mixed + in;
	int read_rows = 0, failed = 0;
	for (int y = 0; y < rows->outputs && !failed; y++) {
		const int first = rows->first[y];
		for (; read_rows < first + count && !failed; read_rows++)
			failed = read(from, read_rows, memory + in * (read_rows % count));
		if (!failed && imaging_stopped(stop)) failed = -1;
		if (failed) break;
		for (int j = 0; j < count; j++) window[j] = memory + in * ((first + j) % count) + left * bands;
		if (rows->cut) {
			cut_pixels(done, cut, window, y, columns, rows, bands);
		} else {
			combine_rows(mixed, window, rows->weights + (size_t)y * count, count, needed * bands);
			combine_columns(done, mixed, left, columns, bands);
		}
		write(to, y, done);
	}
	free(cut.made);
	free(cut.sums);
	free(window);
	free(memory);
	return failed;
}
