#include "resample.h"

#include <stdlib.h>

#include "simd.h"

typedef float four __attribute__((vector_size(16), aligned(4), may_alias));
typedef float eight __attribute__((vector_size(32), aligned(4), may_alias));

// Rows have room for whole vectors.
enum { BLOCK = 32 };

static size_t padded(int n) { return ((size_t)n + BLOCK) / BLOCK * BLOCK + BLOCK; }

// mix_rows adds up rows of n numbers.
FOR_EACH_PROCESSOR
static void mix_rows(float *out, float *const *rows, const float *weights, int count, int n) {
	for (int i = 0; i < n; i += BLOCK) {
		eight a = {0}, b = {0}, c = {0}, d = {0};
		for (int j = 0; j < count; j++) {
			const float w = weights[j];
			const eight *in = (const eight *)(rows[j] + i);
			a += w * in[0], b += w * in[1], c += w * in[2], d += w * in[3];
		}
		eight *to = (eight *)(out + i);
		to[0] = a, to[1] = b, to[2] = c, to[3] = d;
	}
}

// mix_columns makes a row of outputs of one of inputs. A vector holds a pixel
// and, where it has fewer than four bands, some of the next one.
FOR_EACH_PROCESSOR
static void mix_columns(float *out, const float *row, const Weights *w, int bands) {
	for (int x = 0; x < w->outputs; x++) {
		const float *in = row + (size_t)w->first[x] * bands, *weights = w->weights + (size_t)x * w->count;
		four even = {0}, odd = {0};
		int j = 0;
		for (; j + 1 < w->count; j += 2) {
			even += weights[j] * *(const four *)(in + j * bands);
			odd += weights[j + 1] * *(const four *)(in + (j + 1) * bands);
		}
		if (j < w->count) even += weights[j] * *(const four *)(in + j * bands);
		*(four *)(out + (size_t)x * bands) = even + odd;
	}
}

int imaging_resample(Reader read, void *from, int width, int bands,
	const Weights *columns, const Weights *rows, Writer write, void *to, Stop stop) {
	const size_t in = padded(width * bands), out = padded(columns->outputs * bands);
	const int count = rows->count;
	// The last rows that were read go round in a ring.
	float *memory = calloc(in * (count + 1) + out, sizeof(float));
	float **window = malloc(count * sizeof(float *));
	if (memory == NULL || window == NULL) abort();
	float *mixed = memory + in * count, *done = mixed + in;
	int have = 0, failed = 0;
	for (int y = 0; y < rows->outputs && !failed; y++) {
		const int first = rows->first[y];
		for (; have < first + count && !failed; have++) failed = read(from, have, memory + in * (have % count));
		if (!failed && imaging_stopped(stop)) failed = -1;
		if (failed) break;
		for (int j = 0; j < count; j++) window[j] = memory + in * ((first + j) % count);
		mix_rows(mixed, window, rows->weights + (size_t)y * count, count, width * bands);
		mix_columns(done, mixed, columns, bands);
		write(to, y, done);
	}
	free(window);
	free(memory);
	return failed;
}
