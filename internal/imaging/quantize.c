#include "quantize.h"

#include <stdlib.h>
#include <string.h>

// Colours are counted in BINS bins of 5 bits for red, green and blue.
enum { BITS = 5, BINS = 1 << (3 * BITS), SLOTS = 1024 };

typedef struct {
	uint32_t count;
	uint64_t sums[3];
} Bin;

// Cells are the bins of a part of the colours. Their variance is that along the channel axis, times count.
typedef struct {
	int begin, end, axis;
	double variance, mean;
} Cells;

typedef struct {
	Bin bins[BINS];
	uint16_t used[BINS]; // the bins that are not empty, in the order of the cells
	int16_t nearest[BINS]; // the index of the palette for a colour; -1 if it is not known yet
	uint32_t colours[SLOTS]; // a hash table of exact colours; 0 is empty
	uint8_t index[SLOTS];
} Quantizer;

typedef struct {
	const uint8_t *pixels, *before;
	int channels;
} Image;

static const uint8_t *visible(const Image *image, size_t i) {
	const uint8_t *p = image->pixels + i * image->channels;
	if (image->channels == 4 && p[3] < 128) return NULL;
	if (image->before && memcmp(p, image->before + i * image->channels, image->channels) == 0) return NULL;
	return p;
}

// exact finds the index of a colour and adds it if it is new. It returns -1 if there are too many.
static int exact(Quantizer *q, const uint8_t *p, uint8_t *palette, int *n) {
	const uint32_t colour = 1u << 24 | p[0] << 16 | p[1] << 8 | p[2];
	uint32_t slot = (colour * 2654435761u) >> 22;
	for (; q->colours[slot]; slot = (slot + 1) % SLOTS)
		if (q->colours[slot] == colour) return q->index[slot];
	if (*n == MAX_COLOURS) return -1;
	q->colours[slot] = colour, q->index[slot] = *n;
	memcpy(palette + 3 * *n, p, 3);
	return (*n)++;
}

static int keep_colours(Quantizer *q, const Image *image, size_t count, uint8_t *palette, uint8_t *indices) {
	int n = 0;
	for (size_t i = 0; i < count; i++) {
		const uint8_t *p = visible(image, i);
		const int index = p ? exact(q, p, palette, &n) : MAX_COLOURS;
		if (index < 0) return -1;
		indices[i] = index;
	}
	for (size_t i = 0; i < count; i++)
		if (indices[i] == MAX_COLOURS) indices[i] = n;
	return n;
}

static int bin_of(int r, int g, int b) { return r >> 3 << 10 | g >> 3 << 5 | b >> 3; }

static double value(const Bin *b, int axis) { return (double)b->sums[axis] / b->count; }

// measure sets the axis with the largest variance of the cells.
static void measure(const Quantizer *q, Cells *c) {
	c->variance = -1;
	for (int axis = 0; axis < 3; axis++) {
		double count = 0, sum = 0, squares = 0;
		for (int i = c->begin; i < c->end; i++) {
			const Bin *b = &q->bins[q->used[i]];
			const double v = value(b, axis);
			count += b->count, sum += v * b->count, squares += v * v * b->count;
		}
		const double variance = squares - sum * sum / count;
		if (variance > c->variance) c->variance = variance, c->axis = axis, c->mean = sum / count;
	}
}

// split moves the bins above the mean to the end and returns where they begin.
static int split(Quantizer *q, const Cells *c) {
	int low = c->begin, high = c->end;
	while (low < high) {
		if (value(&q->bins[q->used[low]], c->axis) <= c->mean) {
			low++;
			continue;
		}
		const uint16_t moved = q->used[low];
		q->used[low] = q->used[--high], q->used[high] = moved;
	}
	return low;
}

static void mean_colour(const Quantizer *q, const Cells *c, uint8_t *colour) {
	uint64_t count = 0, sums[3] = {0};
	for (int i = c->begin; i < c->end; i++) {
		const Bin *b = &q->bins[q->used[i]];
		count += b->count;
		for (int axis = 0; axis < 3; axis++) sums[axis] += b->sums[axis];
	}
	for (int axis = 0; axis < 3; axis++) colour[axis] = (sums[axis] + count / 2) / count;
}

static int choose_colours(Quantizer *q, const Image *image, size_t count, uint8_t *palette) {
	for (size_t i = 0; i < count; i++) {
		const uint8_t *p = visible(image, i);
		if (p == NULL) continue;
		Bin *b = &q->bins[bin_of(p[0], p[1], p[2])];
		b->count++;
		for (int axis = 0; axis < 3; axis++) b->sums[axis] += p[axis];
	}
	Cells cells[MAX_COLOURS] = {{0}};
	for (int i = 0; i < BINS; i++)
		if (q->bins[i].count) q->used[cells[0].end++] = i;
	measure(q, &cells[0]);
	int n = 1;
	while (n < MAX_COLOURS) {
		Cells *widest = &cells[0];
		for (int i = 1; i < n; i++)
			if (cells[i].variance > widest->variance) widest = &cells[i];
		const int middle = split(q, widest);
		if (middle == widest->begin || middle == widest->end) break; // all bins are equal
		cells[n] = (Cells){middle, widest->end, 0, 0, 0}, widest->end = middle;
		measure(q, widest), measure(q, &cells[n++]);
	}
	for (int i = 0; i < n; i++) mean_colour(q, &cells[i], palette + 3 * i);
	return n;
}

static int nearest(Quantizer *q, const int *colour, const uint8_t *palette, int n) {
	int16_t *known = &q->nearest[bin_of(colour[0], colour[1], colour[2])];
	if (*known >= 0) return *known;
	int best = 1 << 30;
	for (int i = 0; i < n; i++) {
		int distance = 0;
		for (int axis = 0; axis < 3; axis++) {
			const int d = (colour[axis] & ~7) + 4 - palette[3 * i + axis]; // from the middle of the bin
			distance += d * d;
		}
		if (distance < best) best = distance, *known = i;
	}
	return *known;
}

static int clip(int v) { return v < 0 ? 0 : v > 255 ? 255 : v; }

// diffuse writes the indices of a row. errors are those for this row and the next, in sixteenths.
static void diffuse(Quantizer *q, const Image *image, size_t first, int width, const uint8_t *palette, int n,
	const int *errors, int *next, uint8_t *indices) {
	int right[3] = {0};
	memset(next, 0, sizeof(int) * 3 * (width + 2));
	for (int x = 0; x < width; x++) {
		const uint8_t *p = visible(image, first + x);
		if (p == NULL) {
			indices[x] = n;
			memset(right, 0, sizeof right);
			continue;
		}
		int colour[3];
		for (int c = 0; c < 3; c++) colour[c] = clip(p[c] + (errors[3 * (x + 1) + c] + right[c]) / 16);
		const int index = indices[x] = nearest(q, colour, palette, n);
		for (int c = 0; c < 3; c++) {
			const int error = colour[c] - palette[3 * index + c];
			right[c] = 7 * error;
			next[3 * x + c] += 3 * error, next[3 * (x + 1) + c] += 5 * error, next[3 * (x + 2) + c] += error;
		}
	}
}

int imaging_quantize(const uint8_t *pixels, const uint8_t *before, int width, int height, int channels,
	uint8_t palette[3 * MAX_COLOURS], uint8_t *indices) {
	const Image image = {pixels, before, channels};
	const size_t count = (size_t)width * height;
	Quantizer *q = calloc(1, sizeof *q);
	int *errors = calloc(2 * 3 * ((size_t)width + 2), sizeof *errors);
	int n = -1;
	if (q != NULL && errors != NULL) {
		n = keep_colours(q, &image, count, palette, indices);
		if (n < 0) {
			n = choose_colours(q, &image, count, palette);
			memset(q->nearest, -1, sizeof q->nearest);
			for (int y = 0; y < height; y++)
				diffuse(q, &image, (size_t)y * width, width, palette, n, errors + 3 * (width + 2) * (y % 2),
					errors + 3 * (width + 2) * ((y + 1) % 2), indices + (size_t)y * width);
		}
	}
	free(q);
	free(errors);
	return n;
}
