#include "rows.h"

#include <string.h>

#include "simd.h"

FOR_EACH_CPU
void imaging_to_floats(const uint8_t *pixels, int width, int bands, int alpha, float *row) {
	if (!alpha) {
		for (int i = 0; i < width * bands; i++) row[i] = pixels[i];
		return;
	}
	for (int x = 0; x < width; x++, pixels += bands, row += bands) {
		const float a = pixels[bands - 1], opacity = a * (1 / 255.0f);
		for (int c = 0; c < bands - 1; c++) row[c] = pixels[c] * opacity;
		row[bands - 1] = a;
	}
}

// Below this alpha (of 255), colours are too imprecise to restore and stay as they are.
#define MIN_ALPHA 0.03f

FOR_EACH_CPU
void imaging_write_colours(void *to, int y, const float *row) {
	const Bytes *b = to;
	const int n = b->width * b->bands;
	uint8_t *restrict out = b->pixels + (size_t)y * n;
	if (!b->alpha) {
		for (int i = 0; i < n; i++) out[i] = imaging_to_byte(row[i]);
		return;
	}
	for (int i = 0; i < n; i += b->bands) {
		const float a = row[i + b->bands - 1];
		if (a < MIN_ALPHA) continue;
		for (int c = i; c < i + b->bands - 1; c++) out[c] = imaging_to_byte(row[c] * (255 / a));
	}
}

void imaging_write_bytes(void *to, int y, const float *row) {
	const Bytes *b = to;
	imaging_write_colours(to, y, row);
	if (!b->alpha) return;
	uint8_t *alpha = b->pixels + ((size_t)y * b->width + 1) * b->bands - 1;
	row += b->bands - 1;
	for (int x = 0; x < b->width; x++, alpha += b->bands, row += b->bands) *alpha = imaging_to_byte(*row);
}

FOR_EACH_CPU
void imaging_add_boxes(const uint8_t *pixels, int width, int bands, int alpha, int across, int rows, float *means) {
	for (int x = 0; x < width; x += across, means += bands) {
		const int n = width - x < across ? width - x : across;
		float sums[4] = {0};
		for (int i = 0; i < n; i++, pixels += bands) {
			const float opacity = alpha ? pixels[bands - 1] * (1 / 255.0f) : 1;
			for (int c = 0; c < bands - alpha; c++) sums[c] += pixels[c] * opacity;
			if (alpha) sums[bands - 1] += pixels[bands - 1];
		}
		for (int c = 0; c < bands; c++) means[c] += sums[c] / (n * rows);
	}
}

// boxes_across returns the number of boxes in a row.
static int boxes_across(const Boxes *b) { return (b->width + b->across - 1) / b->across; }

// read_boxes is a Reader of Boxes. It returns the means of row y of boxes, unless they are not
// needed.
static int read_boxes(void *boxes, int y, float *row) {
	const Boxes *b = boxes;
	const int top = y * b->down, bottom = b->height < top + b->down ? b->height : top + b->down;
	const int single = b->across == 1 && b->down == 1, needed = y >= b->first;
	if (needed && !single) memset(row, 0, sizeof(float) * b->bands * boxes_across(b));
	for (int i = top; i < bottom; i++) {
		const uint8_t *pixels = b->next(b->from, i);
		if (pixels == NULL) return -1;
		if (!needed) continue;
		if (single) imaging_to_floats(pixels, b->width, b->bands, b->alpha, row);
		else imaging_add_boxes(pixels, b->width, b->bands, b->alpha, b->across, bottom - top, row);
	}
	return 0;
}

int imaging_resample_boxes(Boxes b, const Weights *columns, const Weights *rows, Stop stop, uint8_t *out) {
	Bytes to = {out, columns->outputs, b.bands, b.alpha};
	b.first = rows->first[0];
	int failed = imaging_resample(read_boxes, &b, boxes_across(&b), b.bands, columns, rows, imaging_write_bytes, &to, stop);
	for (int y = (rows->first[rows->outputs - 1] + rows->count) * b.down; y < b.height && !failed; y++)
		failed = imaging_stopped(stop) || b.next(b.from, y) == NULL ? -1 : 0;
	return failed;
}
