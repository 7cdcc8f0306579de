#include "blur.h"

#include <stdlib.h>
#include <string.h>

#include "simd.h"

static int read_bytes(void *from, int y, float *row) {
	const Bytes *b = from;
	imaging_to_floats(b->pixels + (size_t)y * b->width * b->bands, b->width, b->bands, b->alpha, row);
	return 0;
}

// Floats are rows of length numbers each.
typedef struct {
	float *numbers;
	size_t length;
} Floats;

static int read_floats(void *from, int y, float *row) {
	const Floats *f = from;
	memcpy(row, f->numbers + y * f->length, f->length * sizeof(float));
	return 0;
}

static void write_floats(void *to, int y, const float *row) {
	const Floats *f = to;
	memcpy(f->numbers + y * f->length, row, f->length * sizeof(float));
}

int imaging_blur(const Bytes *b, Weights2D to, const Weights2D *back, Stop stop) {
	if (back == NULL)
		return imaging_resample(read_bytes, (void *)b, b->width, b->bands, to.columns, to.rows,
			imaging_write_colours, (void *)b, stop);
	const int width = to.columns->outputs, height = to.rows->outputs;
	Floats coarse = {malloc((size_t)width * height * b->bands * sizeof(float)), (size_t)width * b->bands};
	if (coarse.numbers == NULL) abort();
	int failed = imaging_resample(read_bytes, (void *)b, b->width, b->bands, to.columns, to.rows,
		write_floats, &coarse, stop);
	if (!failed) failed = imaging_resample(read_floats, &coarse, width, b->bands, back->columns, back->rows,
		imaging_write_colours, (void *)b, stop);
	free(coarse.numbers);
	return failed;
}

// Sharpening is the state of write_sharp.
typedef struct {
	const Bytes *b;
	float amount;
} Sharpening;

// luma is computed as in ITU-R BT.601.
static inline float luma(const uint8_t *pixel) {
	return 0.299f * pixel[0] + 0.587f * pixel[1] + 0.114f * pixel[2];
}

FOR_EACH_CPU
static int read_luma(void *from, int y, float *row) {
	const Bytes *b = ((const Sharpening *)from)->b;
	const uint8_t *pixel = b->pixels + (size_t)y * b->width * b->bands;
	for (int x = 0; x < b->width; x++, pixel += b->bands) row[x] = luma(pixel);
	return 0;
}

FOR_EACH_CPU
static void write_sharp(void *to, int y, const float *row) {
	const Sharpening *s = to;
	uint8_t *pixel = s->b->pixels + (size_t)y * s->b->width * s->b->bands;
	for (int x = 0; x < s->b->width; x++, pixel += s->b->bands) {
		const float add = (luma(pixel) - row[x]) * s->amount;
		for (int c = 0; c < 3; c++) pixel[c] = imaging_to_byte(pixel[c] + add);
	}
}

int imaging_sharpen(const Bytes *b, Weights2D blur, float amount, Stop stop) {
	Sharpening s = {b, amount};
	return imaging_resample(read_luma, &s, b->width, 1, blur.columns, blur.rows, write_sharp, &s, stop);
}
