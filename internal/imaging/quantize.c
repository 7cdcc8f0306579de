#include "quantize.h"

#include <stdlib.h>
#include <string.h>

// ROOM is the maximum number of colours that are counted apart. If errors are diffused, colours are counted and
// looked up by BITS bits of each channel.
enum { BITS = 5, BINS = 1 << (3 * BITS), ROOM = BINS, CHANNELS = 4 };

// AXIS is the channel by which values are sorted: green, which varies most.
enum { AXIS = 1 };

// Counted are the pixels whose colours are equal in the bits that are looked at. sums are those of the
// colours multiplied by alpha, and of 255 × alpha.
typedef struct {
	uint32_t key, pixels;
	uint64_t sums[CHANNELS];
	int index; // in the palette
} Counted;

// Sample is the mean of a Counted.
typedef struct {
	float value[CHANNELS], pixels;
	int counted;
} Sample;

// Value is a colour of the palette: multiplied by alpha, and alpha.
typedef struct {
	float value[CHANNELS];
	int index;
} Value;

// Box has the samples of a part of the colours. spread is the sum of the squared distances from the mean
// on the axis where it is largest.
typedef struct {
	int begin, end, axis;
	double spread, mean[CHANNELS];
} Box;

struct Palette {
	uint32_t mask; // the bits of a colour that are looked at
	int limit, diffuse, used, exact, n;
	Counted *all;
	uint16_t *slots; // 2 × ROOM numbers of all, counted from 1, by a hash of the key
	int *errors;     // of this row and the next, in sixteenths
	uint8_t colours[CHANNELS * MAX_PALETTE];
	Value values[MAX_PALETTE]; // sorted by AXIS
	int16_t nearest[BINS];     // the index for a bin; -1 if it is not known yet
};

// colour_at reads a pixel as RGBA from the lowest byte on. It returns 0 if the pixel gets no colour.
static int colour_at(const PaletteImage *image, size_t i, uint32_t *colour) {
	const uint8_t *p = image->pixels + i * image->channels;
	uint32_t alpha = image->channels == 4 ? p[3] : 255;
	if (image->before && memcmp(p, image->before + i * image->channels, image->channels) == 0) return 0;
	if (image->diffuse) {
		if (alpha < 128) return 0;
		alpha = 255;
	}
	const uint32_t rgb = image->channels == 1 ? p[0] * 0x010101u : p[0] | p[1] << 8 | p[2] << 16;
	*colour = alpha == 0 ? 0 : rgb | alpha << 24;
	return 1;
}

static Counted *find(Palette *q, uint32_t colour);

// coarsen merges colours that are equal without the last bit of each channel, or in BITS bits.
static void coarsen(Palette *q) {
	const int before = q->used;
	q->mask = q->diffuse ? (0xff00 >> BITS & 0xff) * 0x01010101u : q->mask & ~((q->mask & -q->mask) * 0x01010101u);
	q->used = 0;
	memset(q->slots, 0, sizeof *q->slots * 2 * ROOM);
	for (int i = 0; i < before; i++) { // they move towards the beginning
		const Counted moved = q->all[i];
		Counted *to = find(q, moved.key);
		to->pixels += moved.pixels;
		for (int c = 0; c < CHANNELS; c++) to->sums[c] += moved.sums[c];
	}
}

// find returns the entry of a colour, which is added if it is new.
static Counted *find(Palette *q, uint32_t colour) {
	const uint32_t key = colour & q->mask;
	uint32_t slot = key * 2654435769u >> 16;
	for (; q->slots[slot]; slot = (slot + 1) % (2 * ROOM))
		if (q->all[q->slots[slot] - 1].key == key) return &q->all[q->slots[slot] - 1];
	if (q->used == ROOM || (q->diffuse && q->mask == UINT32_MAX && q->used == q->limit)) {
		coarsen(q);
		return find(q, colour);
	}
	q->all[q->used] = (Counted){.key = key};
	q->slots[slot] = q->used + 1;
	return &q->all[q->used++];
}

static void count_row(Palette *q, const PaletteImage *image, int y) {
	const size_t first = (size_t)y * image->width;
	uint32_t colour, last = 0;
	Counted *to = NULL;
	for (int x = 0; x < image->width; x++) {
		if (!colour_at(image, first + x, &colour)) continue;
		if (to == NULL || ((colour ^ last) & q->mask)) to = find(q, colour), last = colour;
		const uint32_t alpha = colour >> 24;
		to->pixels++;
		for (int c = 0; c < 3; c++) to->sums[c] += (colour >> (8 * c) & 255) * alpha;
		to->sums[3] += 255 * alpha;
	}
}

// measure sets the mean of a box, and the axis with the largest spread.
static void measure(const Sample *samples, Box *b) {
	double pixels = 0, sums[CHANNELS] = {0}, squares[CHANNELS] = {0};
	for (int i = b->begin; i < b->end; i++) {
		pixels += samples[i].pixels;
		for (int c = 0; c < CHANNELS; c++) {
			const double part = samples[i].pixels * samples[i].value[c];
			sums[c] += part, squares[c] += part * samples[i].value[c];
		}
	}
	b->spread = 0;
	for (int c = 0; c < CHANNELS; c++) {
		b->mean[c] = sums[c] / pixels;
		const double spread = squares[c] - sums[c] * b->mean[c];
		if (spread > b->spread) b->spread = spread, b->axis = c;
	}
}

// split moves the samples above the mean to the end and returns where they begin.
static int split(Sample *samples, const Box *b) {
	int low = b->begin, high = b->end;
	while (low < high) {
		if (samples[low].value[b->axis] <= b->mean[b->axis]) {
			low++;
			continue;
		}
		const Sample moved = samples[low];
		samples[low] = samples[--high], samples[high] = moved;
	}
	return low;
}

// cut divides the samples to at most limit boxes, sets values to their means, and returns their number.
static int cut(Sample *samples, int count, int limit, Value *values) {
	Box boxes[MAX_PALETTE] = {{.end = count}};
	measure(samples, &boxes[0]);
	int n = 1;
	while (n < limit) {
		Box *widest = &boxes[0];
		for (int i = 1; i < n; i++)
			if (boxes[i].spread > widest->spread) widest = &boxes[i];
		if (widest->spread == 0) break;
		const int middle = split(samples, widest);
		if (middle == widest->begin || middle == widest->end) {
			widest->spread = 0; // only rounding is left of it
			continue;
		}
		boxes[n] = (Box){.begin = middle, .end = widest->end}, widest->end = middle;
		measure(samples, widest), measure(samples, &boxes[n++]);
	}
	for (int i = 0; i < n; i++)
		for (int c = 0; c < CHANNELS; c++) values[i].value[c] = boxes[i].mean[c];
	return n;
}

static int by_axis(const void *a, const void *b) {
	const float x = ((const Value *)a)->value[AXIS], y = ((const Value *)b)->value[AXIS];
	return (x > y) - (x < y);
}

static float distance(const float *a, const float *b) {
	float sum = 0;
	for (int c = 0; c < CHANNELS; c++) sum += (a[c] - b[c]) * (a[c] - b[c]);
	return sum;
}

// closest returns the place of the closest value. They are sorted by AXIS. It searches from the place guess on.
static int closest(Value *values, int n, const float *to, int guess) {
	int found = guess;
	float best = distance(values[guess].value, to);
	for (int step = -1; step <= 1; step += 2) {
		for (int i = guess + step; i >= 0 && i < n; i += step) {
			const float beyond = step * (values[i].value[AXIS] - to[AXIS]);
			if (beyond > 0 && beyond * beyond >= best) break;
			const float here = distance(values[i].value, to);
			if (here < best) best = here, found = i;
		}
	}
	return found;
}

// improve moves values to the means of the samples to which they are closest. It drops the others.
static int improve(const Sample *samples, int count, Value *values, int n) {
	qsort(values, n, sizeof *values, by_axis);
	double pixels[MAX_PALETTE] = {0}, sums[MAX_PALETTE][CHANNELS] = {{0}};
	for (int i = 0, at = 0; i < count; i++) {
		at = closest(values, n, samples[i].value, at);
		pixels[at] += samples[i].pixels;
		for (int c = 0; c < CHANNELS; c++) sums[at][c] += samples[i].pixels * samples[i].value[c];
	}
	int kept = 0;
	for (int i = 0; i < n; i++) {
		if (pixels[i] == 0) continue;
		for (int c = 0; c < CHANNELS; c++) values[kept].value[c] = sums[i][c] / pixels[i];
		kept++;
	}
	return kept;
}

// straight returns a value as a colour, rounded.
static uint32_t straight(const float *value) {
	uint32_t colour = (uint32_t)(value[3] + 0.5f) << 24;
	for (int c = 0; c < 3; c++) {
		const float v = value[c] * 255 / (value[3] > 1 ? value[3] : 1) + 0.5f;
		colour |= (uint32_t)(v < 255 ? v : 255) << (8 * c);
	}
	return colour;
}

static int by_alpha(const void *a, const void *b) {
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

// set_colours sets the colours, by ascending alpha, and their values.
static void set_colours(Palette *q, uint32_t *colours) {
	qsort(colours, q->n, sizeof *colours, by_alpha);
	for (int i = 0; i < q->n; i++) {
		const int alpha = colours[i] >> 24;
		Value *v = &q->values[i];
		for (int c = 0; c < CHANNELS; c++) {
			q->colours[CHANNELS * i + c] = colours[i] >> (8 * c);
			v->value[c] = (float)(q->colours[CHANNELS * i + c] * (c < 3 ? alpha : 255)) / 255;
		}
		v->index = i;
	}
	qsort(q->values, q->n, sizeof *q->values, by_axis);
}

// choose sets the colours, and the index of each sample. Its samples are the counted colours.
static void choose(Palette *q, Sample *samples) {
	uint32_t colours[MAX_PALETTE];
	q->exact = q->used <= q->limit && q->mask == UINT32_MAX;
	if (q->exact) {
		q->n = q->used;
		for (int i = 0; i < q->n; i++) colours[i] = q->all[i].key;
	} else {
		q->n = cut(samples, q->used, q->limit, q->values);
		q->n = improve(samples, q->used, q->values, q->n);
		for (int i = 0; i < q->n; i++) colours[i] = straight(q->values[i].value);
	}
	set_colours(q, colours);
	for (int i = 0, at = 0; i < q->used && (q->exact || !q->diffuse); i++) {
		at = closest(q->values, q->n, samples[i].value, at);
		q->all[samples[i].counted].index = q->values[at].index;
	}
	memset(q->nearest, -1, sizeof q->nearest);
}

static int allocate(Palette *q, const PaletteImage *image) {
	q->all = malloc(sizeof *q->all * ROOM);
	q->slots = calloc(2 * ROOM, sizeof *q->slots);
	q->errors = calloc(2 * 3 * ((size_t)image->width + 2), sizeof *q->errors);
	return q->all && q->slots && q->errors ? 0 : -1;
}

static int make(Palette *q, const PaletteImage *image, Stop stop) {
	if (allocate(q, image)) return -1;
	for (int y = 0; y < image->height; y++) {
		if (imaging_stopped(stop)) return -1;
		count_row(q, image, y);
	}
	Sample *samples = malloc(sizeof *samples * (q->used + 1));
	if (samples == NULL) return -1;
	for (int i = 0; i < q->used; i++) {
		samples[i] = (Sample){.pixels = q->all[i].pixels, .counted = i};
		for (int c = 0; c < CHANNELS; c++) samples[i].value[c] = q->all[i].sums[c] / (255. * q->all[i].pixels);
	}
	choose(q, samples);
	free(samples);
	return 0;
}

Palette *imaging_palette_new(const PaletteImage *image, int limit, Stop stop, uint8_t *colours, int *count) {
	Palette *q = calloc(1, sizeof *q);
	if (q == NULL) return NULL;
	q->mask = UINT32_MAX, q->limit = limit, q->diffuse = image->diffuse;
	if (make(q, image, stop)) {
		imaging_palette_free(q);
		return NULL;
	}
	*count = q->n;
	memcpy(colours, q->colours, sizeof q->colours);
	return q;
}

void imaging_palette_free(Palette *q) {
	free(q->all);
	free(q->slots);
	free(q->errors);
	free(q);
}

static void look_up(Palette *q, const PaletteImage *image, size_t first, uint8_t *indices) {
	uint32_t colour, last = 0;
	int index = -1;
	for (int x = 0; x < image->width; x++) {
		if (!colour_at(image, first + x, &colour)) {
			indices[x] = q->n;
			continue;
		}
		if (index < 0 || colour != last) index = find(q, colour)->index, last = colour;
		indices[x] = index;
	}
}

// nearest returns the index for an opaque colour, from the middle of its bin.
static int nearest(Palette *q, const int *colour) {
	const int drop = 8 - BITS, half = 1 << (drop - 1);
	int16_t *known = &q->nearest[colour[0] >> drop << (2 * BITS) | colour[1] >> drop << BITS | colour[2] >> drop];
	if (*known >= 0) return *known;
	float middle[CHANNELS] = {[3] = 255};
	for (int c = 0; c < 3; c++) middle[c] = (colour[c] >> drop << drop) + half;
	return *known = q->values[closest(q->values, q->n, middle, q->n / 2)].index;
}

static int clip(int v) { return v < 0 ? 0 : v > 255 ? 255 : v; }

// diffuse writes the indices of a row with the errors for it, and sets those for the next.
static void diffuse(Palette *q, const PaletteImage *image, size_t first, const int *errors, int *next, uint8_t *indices) {
	int right[3] = {0};
	uint32_t seen;
	memset(next, 0, sizeof *next * 3 * (image->width + 2));
	for (int x = 0; x < image->width; x++) {
		if (!colour_at(image, first + x, &seen)) {
			indices[x] = q->n;
			memset(right, 0, sizeof right);
			continue;
		}
		int colour[3];
		for (int c = 0; c < 3; c++)
			colour[c] = clip((int)(seen >> (8 * c) & 255) + (errors[3 * (x + 1) + c] + right[c]) / 16);
		const int index = indices[x] = nearest(q, colour);
		for (int c = 0; c < 3; c++) {
			const int error = colour[c] - q->colours[CHANNELS * index + c];
			right[c] = 7 * error;
			next[3 * x + c] += 3 * error, next[3 * (x + 1) + c] += 5 * error, next[3 * (x + 2) + c] += error;
		}
	}
}

void imaging_palette_row(Palette *q, const PaletteImage *image, int y, uint8_t *indices) {
	const size_t first = (size_t)y * image->width, length = 3 * ((size_t)image->width + 2);
	if (q->diffuse && !q->exact) diffuse(q, image, first, q->errors + length * (y % 2), q->errors + length * ((y + 1) % 2), indices);
	else look_up(q, image, first, indices);
}
