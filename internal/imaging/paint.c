#include "paint.h"

#include <math.h>
#include <string.h>

#include "simd.h"

// Painting is one call of imaging_paint.
typedef struct {
	const Patch *patches;
	int count;
	const JpegOutput *output;
	unsigned char **data;
	unsigned long *size;
	Stop stop;
} Painting;

// Block holds samples less 128, or coefficients.
typedef int32_t Block[DCTSIZE][DCTSIZE];

enum {
	BASIS_BITS = 13, // fraction bits of basis
	BITS = 3,        // fraction bits of a Block that is not quantized
	// Products of two matrices of numbers below these fit in an int32_t.
	MAX_COEFFICIENT = 2047,
	MAX_SAMPLE = 511 << BITS,
};

// basis[u][x] is the cosine of frequency u at sample x. Its rows are orthonormal. transposed
// is its inverse.
static Block basis, transposed;

__attribute__((constructor))
static void fill_basis(void) {
	for (int u = 0; u < DCTSIZE; u++)
		for (int x = 0; x < DCTSIZE; x++) {
			const double v = (u == 0 ? sqrt(0.125) : 0.5) * cos((2 * x + 1) * u * M_PI / 16);
			basis[u][x] = transposed[x][u] = lrint(v * (1 << BASIS_BITS));
		}
}

static int32_t clamped(int32_t v, int32_t max) { return v < -max ? -max : v > max ? max : v; }

// multiply computes a product of matrices of which one has BASIS_BITS fraction bits, and
// removes shift of its fraction bits.
FOR_EACH_CPU
static void multiply(Block out, const Block a, const Block b, int shift) {
	for (int i = 0; i < DCTSIZE; i++) {
		int32_t sum[DCTSIZE];
		for (int j = 0; j < DCTSIZE; j++) sum[j] = 1 << (shift - 1);
		for (int k = 0; k < DCTSIZE; k++)
			for (int j = 0; j < DCTSIZE; j++) sum[j] += a[i][k] * b[k][j];
		for (int j = 0; j < DCTSIZE; j++) out[i][j] = sum[j] >> shift;
	}
}

// to_samples computes the samples of a block of quantized coefficients.
static void to_samples(Block out, const JCOEF *in, const UINT16 *steps) {
	Block coefficients, half;
	for (int i = 0; i < DCTSIZE2; i++)
		coefficients[i / DCTSIZE][i % DCTSIZE] = clamped(in[i] * steps[i], MAX_COEFFICIENT);
	multiply(half, transposed, coefficients, BASIS_BITS - BITS);
	multiply(out, half, basis, BASIS_BITS);
	for (int i = 0; i < DCTSIZE2; i++)
		out[i / DCTSIZE][i % DCTSIZE] = clamped(out[i / DCTSIZE][i % DCTSIZE], MAX_SAMPLE);
}

// quantized returns v / step, rounded to the nearest integer that baseline JPEG can encode.
static JCOEF quantized(int32_t v, int32_t step) {
	return clamped((v < 0 ? v - step / 2 : v + step / 2) / step, 1023);
}

static void to_coefficients(JCOEF *out, const Block in, const UINT16 *steps) {
	Block coefficients, half;
	multiply(half, basis, in, BASIS_BITS);
	multiply(coefficients, half, transposed, BASIS_BITS);
	for (int i = 0; i < DCTSIZE2; i++)
		out[i] = quantized(coefficients[i / DCTSIZE][i % DCTSIZE], steps[i] << BITS);
}


// Canvas is the memory for a row of blocks of a component, and what it takes to paint there.
typedef struct {
	int component, top;  // its number, and the first row of samples
	int columns;         // blocks in the row
	int across, down;    // pixels that a sample covers along each side
	int width, height;   // of the image in pixels
	const UINT16 *steps; // of the quantization
	JBLOCKROW coefficients;
	Block *blocks;
	uint8_t *painted; // by block
} Canvas;

static int min(int a, int b) { return a < b ? a : b; }

static int max(int a, int b) { return a > b ? a : b; }

// component_of returns Y, Cb or Cr of a pixel with 16 fraction bits, less 128, by the formulas
// of JFIF.
static int32_t component_of(const uint8_t *rgb, int component) {
	static const int32_t weights[MAX_PLANES][3] = {
		{19595, 38470, 7471}, {-11059, -21709, 32768}, {32768, -27439, -5329},
	};
	const int32_t *w = weights[component];
	return w[0] * rgb[0] + w[1] * rgb[1] + w[2] * rgb[2] - (component == 0 ? 128 << 16 : 0);
}

// paint_sample mixes a sample with the pixels of the patch that it covers. Beyond the edges of
// the image the last pixel repeats.
static void paint_sample(const Canvas *c, const Patch *p, int x, int y, int32_t *sample) {
	const int all = c->across * c->down;
	int32_t sum = 0;
	int covered = 0;
	for (int i = 0; i < all; i++) {
		const int column = min(x * c->across + i % c->across, c->width - 1) - p->at.left;
		const int row = min(y * c->down + i / c->across, c->height - 1) - p->at.top;
		if (column < 0 || column >= p->at.width || row < 0 || row >= p->at.height) continue;
		sum += component_of(p->pixels + row * p->row + column * p->pixel, c->component);
		covered++;
	}
	*sample = (*sample * (all - covered) + (sum >> (16 - BITS))) / all;
}

// Range is a range of samples, without the end.
typedef struct {
	int from, to;
} Range;

// covering returns the samples that cover a range of pixels, if each covers size pixels. A
// range up to the last pixel continues to the end of the blocks.
static Range covering(int from, int length, int size, int pixels, Range blocks) {
	const int end = from + length;
	return (Range){max(from / size, blocks.from), end == pixels ? blocks.to : min((end + size - 1) / size, blocks.to)};
}

static void paint_patch(Canvas *c, const Patch *p) {
	const Range rows = covering(p->at.top, p->at.height, c->down, c->height, (Range){c->top, c->top + DCTSIZE});
	const Range columns = covering(p->at.left, p->at.width, c->across, c->width, (Range){0, c->columns * DCTSIZE});
	if (rows.from >= rows.to) return;
	for (int i = columns.from / DCTSIZE; i * DCTSIZE < columns.to; i++) {
		if (!c->painted[i]) to_samples(c->blocks[i], c->coefficients[i], c->steps);
		c->painted[i] = 1;
		const int to = min(columns.to, (i + 1) * DCTSIZE);
		for (int y = rows.from; y < rows.to; y++)
			for (int x = max(columns.from, i * DCTSIZE); x < to; x++)
				paint_sample(c, p, x, y, &c->blocks[i][y % DCTSIZE][x % DCTSIZE]);
	}
}

static void paint_row(Canvas *c, const Painting *p) {
	memset(c->painted, 0, c->columns);
	for (int i = 0; i < p->count; i++) paint_patch(c, &p->patches[i]);
	for (int i = 0; i < c->columns; i++)
		if (c->painted[i]) to_coefficients(c->coefficients[i], c->blocks[i], c->steps);
}

// quantize_again changes the steps of a row of blocks.
static void quantize_again(JBLOCKROW row, int columns, const UINT16 *from, const UINT16 *to) {
	for (int i = 0; i < columns; i++)
		for (int k = 0; k < DCTSIZE2; k++)
			if (row[i][k] != 0) row[i][k] = quantized(clamped(row[i][k] * from[k], MAX_COEFFICIENT), to[k]);
}

// paint_component paints all rows of blocks of a component.
static Damage paint_component(j_compress_ptr e, Canvas *c, const UINT16 *stored, int rows, jvirt_barray_ptr blocks,
	const Painting *p) {
	for (int y = 0; y < rows; y++) {
		if (imaging_stopped(p->stop)) return STOPPED;
		c->coefficients = *e->mem->access_virt_barray((j_common_ptr)e, blocks, y, 1, TRUE);
		c->top = y * DCTSIZE;
		if (stored != c->steps) quantize_again(c->coefficients, c->columns, stored, c->steps);
		paint_row(c, p);
	}
	return INTACT;
}
