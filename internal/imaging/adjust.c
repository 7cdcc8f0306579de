#include "adjust.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "simd.h"

// Fixed-point numbers have BITS fraction bits.
enum { BITS = 14, ONE = 1 << BITS, HALF = ONE / 2 };

// TOLERANCE is how far R, G and B may be outside of 0 … 255. Decoders clip them.
enum { TOLERANCE = 2 };

// CHUNK is how many samples of Cb and Cr are converted to RGB at once.
enum { CHUNK = 32 };

// A sample of Cb and Cr covers SIDE × SIDE samples of Y.
enum { SIDE = 2 };

// Factors are an Adjustment in fixed point.
typedef struct {
	int32_t own, luma, offset;
} Factors;

// Rows are a row of Cb and Cr, centred, and the rows of Y that it covers.
typedef struct {
	int16_t *luma[SIDE], *colours[2];
} Rows;

// Band adjusts one row of Cb and Cr at a time, or one row of grey.
typedef struct {
	Factors factors;
	int width, samples; // of Y, and of Cb and Cr
	int down;           // rows of Y
	Rows before, after; // after is not clipped until clip_chunk
	int16_t *added[SIDE]; // by sharpening
	int16_t *zeros, *low, *high;
	uint8_t *clips; // whether the pixels of a sample are clipped in RGB
} Band;

static inline int32_t min32(int32_t a, int32_t b) { return a < b ? a : b; }
static inline int32_t max32(int32_t a, int32_t b) { return a > b ? a : b; }
static inline int32_t clip(int32_t v, int32_t low, int32_t high) { return min32(max32(v, low), high); }

FOR_EACH_CPU
static void widen(int16_t *restrict out, const uint8_t *in, int centre, int n) {
	for (int x = 0; x < n; x++) out[x] = in[x] - centre;
}

FOR_EACH_CPU
static void narrow(uint8_t *restrict out, const int16_t *in, int centre, int n) {
	for (int x = 0; x < n; x++) out[x] = clip(in[x] + centre, 0, 255);
}

FOR_EACH_CPU
static void scale(int16_t *restrict out, const int16_t *in, const int16_t *added, int32_t factor, int32_t offset, int n) {
	for (int x = 0; x < n; x++) out[x] = ((in[x] * factor + offset + HALF) >> BITS) + added[x];
}

// The inverse of the conversion of ITU-R BT.601, for centred Cb and Cr.
static inline int32_t red_of(int32_t cr) { return (cr * 22970 + HALF) >> BITS; }
static inline int32_t green_of(int32_t cb, int32_t cr) { return (cb * -5638 + cr * -11700 + HALF) >> BITS; }
static inline int32_t blue_of(int32_t cb) { return (cb * 29032 + HALF) >> BITS; }

// luma_of returns the luma of ITU-R BT.601 with BITS fraction bits.
static inline int32_t luma_of(int32_t r, int32_t g, int32_t b) { return r * 4899 + g * 9617 + b * 1868; }

// common returns what an adjustment adds to each colour of a pixel, with BITS fraction bits.
static inline int32_t common(int32_t r, int32_t g, int32_t b, Factors f) {
	return (((luma_of(r, g, b) + 512) >> 10) * f.luma >> (BITS - 10)) + f.offset + HALF;
}

// mark_clips sets clips for the samples of Cb and Cr with which R, G or B is out of range.
FOR_EACH_CPU
static void mark_clips(const Band *b, const Rows *rows) {
	const int16_t *above = rows->luma[0], *below = rows->luma[1], *cbs = rows->colours[0], *crs = rows->colours[1];
	uint8_t *restrict clips = b->clips;
	const int n = b->samples;
	for (int x = 0; x < n; x++) {
		const int32_t left = above[2 * x], right = above[2 * x + 1], left2 = below[2 * x], right2 = below[2 * x + 1];
		const int32_t darkest = min32(min32(left, right), min32(left2, right2));
		const int32_t brightest = max32(max32(left, right), max32(left2, right2));
		const int32_t cb = cbs[x], cr = crs[x], red = red_of(cr), green = green_of(cb, cr), blue = blue_of(cb);
		const int32_t min = darkest + min32(red, min32(green, blue)), max = brightest + max32(red, max32(green, blue));
		const int32_t colour = max32(max32(cb, -cb), max32(cr, -cr));
		clips[x] |= (min < -TOLERANCE) | (max > 255 + TOLERANCE) | (colour > 128);
	}
}

// clip_chunk adjusts the pixels of up to CHUNK samples in RGB if they are marked.
FOR_EACH_CPU
static void clip_chunk(const Band *band, int first, int samples) {
	enum { MAX = CHUNK * SIDE, SHIFT = BITS + 2 };
	const Factors f = band->factors;
	const int n = samples * SIDE;
	int16_t red[MAX], green[MAX], blue[MAX], clips[MAX];
	int32_t reds[MAX] = {0}, greens[MAX] = {0}, blues[MAX] = {0};
	for (int x = 0; x < samples; x++) {
		const int32_t cb = band->before.colours[0][first + x], cr = band->before.colours[1][first + x];
		for (int i = x * SIDE; i < (x + 1) * SIDE; i++)
			red[i] = red_of(cr), green[i] = green_of(cb, cr), blue[i] = blue_of(cb), clips[i] = band->clips[first + x];
	}
	for (int k = 0; k < SIDE; k++) {
		const int16_t *in = band->before.luma[k] + first * SIDE, *added = band->added[k] + first * SIDE;
		int16_t *restrict out = band->after.luma[k] + first * SIDE;
		for (int i = 0; i < n; i++) {
			int32_t r = clip(in[i] + red[i], 0, 255), g = clip(in[i] + green[i], 0, 255), b = clip(in[i] + blue[i], 0, 255);
			const int32_t all = common(r, g, b, f) + added[i] * ONE;
			r = clip((r * f.own + all) >> BITS, 0, 255);
			g = clip((g * f.own + all) >> BITS, 0, 255);
			b = clip((b * f.own + all) >> BITS, 0, 255);
			reds[i] += r, greens[i] += g, blues[i] += b;
			const int16_t luma = (luma_of(r, g, b) + HALF) >> BITS;
			out[i] = clips[i] ? luma : out[i];
		}
	}
	for (int x = 0; x < samples; x++) {
		if (!band->clips[first + x]) continue;
		int32_t r = 0, g = 0, b = 0;
		for (int i = x * SIDE; i < (x + 1) * SIDE; i++) r += reds[i], g += greens[i], b += blues[i];
		band->after.colours[0][first + x] = (r * -2765 + g * -5427 + b * 8192 + (1 << (SHIFT - 1))) >> SHIFT;
		band->after.colours[1][first + x] = (r * 8192 + g * -6860 + b * -1332 + (1 << (SHIFT - 1))) >> SHIFT;
	}
}

// clip_colours adjusts pixels in RGB if a colour of them is out of range.
static void clip_colours(const Band *b) {
	memset(b->clips, 0, b->samples);
	mark_clips(b, &b->before);
	mark_clips(b, &b->after);
	for (int first = 0; first < b->samples; first += CHUNK) {
		const int n = min32(CHUNK, b->samples - first);
		if (memchr(b->clips + first, 1, n) != NULL) clip_chunk(b, first, n);
	}
}

// extend repeats the last of n numbers up to end.
static void extend(int16_t *row, int n, int end) {
	for (; n < end; n++) row[n] = row[n - 1];
}

// read_band reads rows of Y from top on, and the row of Cb and Cr. Rows below the image repeat
// the last one.
static void read_band(Band *b, const Plane *planes, int count, int top, Blur8 *blur) {
	const int end = b->samples * SIDE;
	for (int k = 0; k < b->down; k++) {
		if (top + k >= planes->height) {
			memcpy(b->before.luma[k], b->before.luma[k - 1], end * sizeof(int16_t));
			memcpy(b->added[k], b->added[k - 1], end * sizeof(int16_t));
			continue;
		}
		widen(b->before.luma[k], planes->samples + (size_t)(top + k) * b->width, 0, b->width);
		extend(b->before.luma[k], b->width, end);
		if (blur == NULL) continue;
		imaging_blur8_row(blur, b->added[k]);
		extend(b->added[k], b->width, end);
	}
	for (int c = 1; c < count; c++)
		widen(b->before.colours[c - 1], planes[c].samples + (size_t)(top / b->down) * b->samples, 128, b->samples);
}

static void adjust_band(Band *b, const Plane *planes, int count, int top) {
	const Factors f = b->factors;
	for (int k = 0; k < b->down; k++)
		scale(b->after.luma[k], b->before.luma[k], b->added[k], f.own + f.luma, f.offset, b->samples * SIDE);
	for (int c = 1; c < count; c++) {
		scale(b->after.colours[c - 1], b->before.colours[c - 1], b->zeros, f.own, 0, b->samples);
	}
	if (count > 1) clip_colours(b);
	for (int k = 0; k < b->down && top + k < planes->height; k++)
		narrow(planes->samples + (size_t)(top + k) * b->width, b->after.luma[k], 0, b->width);
	for (int c = 1; c < count; c++)
		narrow(planes[c].samples + (size_t)(top / b->down) * b->samples, b->after.colours[c - 1], 128, b->samples);
}

static Factors factors_of(const Adjustment *a) {
	return (Factors){lrintf(a->own * ONE), lrintf(a->luma * ONE), lrintf(a->offset * ONE)};
}

static Band new_band(const Plane *planes, int count, const Adjustment *a) {
	Band b = {
		.factors = factors_of(a),
		.width = planes->width, .samples = (planes->width + SIDE - 1) / SIDE, .down = count == 1 ? 1 : SIDE,
	};
	enum { ROWS = 3 * SIDE + 7, ALIGNMENT = 64 };
	const size_t length = ((size_t)b.samples * SIDE + ALIGNMENT) / ALIGNMENT * ALIGNMENT;
	int16_t *rows = calloc(ROWS * length, sizeof(int16_t));
	if (rows == NULL) abort();
	b.zeros = rows;
	for (int k = 0; k < SIDE; k++) {
		b.before.luma[k] = rows += length;
		b.after.luma[k] = rows += length;
		b.added[k] = rows += length;
	}
	for (int c = 0; c < 2; c++) {
		b.before.colours[c] = rows += length;
		b.after.colours[c] = rows += length;
	}
	b.low = rows += length;
	b.high = rows + length;
	b.clips = calloc(1, length);
	if (b.clips == NULL) abort();
	return b;
}

int imaging_adjust(const Plane *planes, int count, const Adjustment *a, Stop stop) {
	Band b = new_band(planes, count, a);
	Blur8 *blur = a->blur == NULL ? NULL : imaging_blur8_new(planes, a->blur, a->sharpen);
	int stopped = 0;
	for (int y = 0; y < planes->height && !stopped; y += b.down) {
		read_band(&b, planes, count, y, blur);
		adjust_band(&b, planes, count, y);
		stopped = imaging_stopped(stop);
	}
	if (blur != NULL) imaging_blur8_free(blur);
	free(b.zeros);
	free(b.clips);
	return stopped ? -1 : 0;
}

FOR_EACH_CPU
static void adjust_row(uint8_t *pixel, int width, int bands, Factors f) {
	for (int x = 0; x < width; x++, pixel += bands) {
		const int32_t all = common(pixel[0], pixel[1], pixel[2], f);
		for (int c = 0; c < 3; c++) pixel[c] = clip((pixel[c] * f.own + all) >> BITS, 0, 255);
	}
}

int imaging_adjust_pixels(const Bytes *b, int height, const Adjustment *a, Stop stop) {
	const Factors f = factors_of(a);
	const size_t length = (size_t)b->width * b->bands;
	for (int y = 0; y < height; y++) {
		if (imaging_stopped(stop)) return -1;
		adjust_row(b->pixels + y * length, b->width, b->bands, f);
	}
	return 0;
}
