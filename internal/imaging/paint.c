#include "paint.h"

#include <math.h>
#include <string.h>

#include "simd.h"

// Painting is one call of imaging_paint.
typedef struct {
	const Patch *patches;
	int count;
	int quality, optimize;
	unsigned char **data;
	unsigned long *size;
	j_decompress_ptr decoder;
	jvirt_barray_ptr *blocks; // by component
} Painting;

// Block holds samples less 128 or coefficients, with BITS fraction bits.
typedef int32_t Block[DCTSIZE][DCTSIZE];

enum {
	BASIS_BITS = 13, // fraction bits of basis
	BITS = 3,        // fraction bits of a Block
	MAX_COEFFICIENT = 2047,
	MAX_SAMPLE = 511, // a product of basis and numbers up to these limits fits in an int32_t
};

// Steps are the steps of a quantization with BITS fraction bits, and their inverses.
typedef struct {
	int32_t sizes[DCTSIZE2];
	float inverses[DCTSIZE2];
} Steps;

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

// multiply computes the product of basis, or its inverse, and another matrix.
FOR_EACH_CPU
static void multiply(Block out, const Block a, const Block b) {
	for (int i = 0; i < DCTSIZE; i++) {
		int32_t sum[DCTSIZE];
		for (int j = 0; j < DCTSIZE; j++) sum[j] = 1 << (BASIS_BITS - 1);
		for (int k = 0; k < DCTSIZE; k++)
			for (int j = 0; j < DCTSIZE; j++) sum[j] += a[i][k] * b[k][j];
		for (int j = 0; j < DCTSIZE; j++) out[i][j] = sum[j] >> BASIS_BITS;
	}
}

// dequantize computes the coefficients of a block.
FOR_EACH_CPU
static void dequantize(int32_t *out, const JCOEF *in, const Steps *s) {
	for (int i = 0; i < DCTSIZE2; i++)
		out[i] = clamped(clamped(in[i], MAX_COEFFICIENT) * s->sizes[i], MAX_COEFFICIENT << BITS);
}

// quantize rounds the multiples of the steps to integers that baseline JPEG can encode. Only
// one operation rounds a float, so that the result is the same on every CPU.
FOR_EACH_CPU
static void quantize(JCOEF *out, const int32_t *in, const Steps *s) {
	for (int i = 0; i < DCTSIZE2; i++) {
		const int32_t v = in[i] < 0 ? -in[i] : in[i], n = s->inverses[i] * (float)(v + s->sizes[i] / 2);
		out[i] = clamped(in[i] < 0 ? -n : n, 1023);
	}
}

static void to_samples(Block out, const JCOEF *in, const Steps *s) {
	Block coefficients, half;
	dequantize(coefficients[0], in, s);
	multiply(half, transposed, coefficients);
	multiply(out, half, basis);
	int32_t *samples = out[0];
	for (int i = 0; i < DCTSIZE2; i++) samples[i] = clamped(samples[i], MAX_SAMPLE << BITS);
}

static void to_coefficients(JCOEF *out, const Block in, const Steps *s) {
	Block coefficients, half;
	multiply(half, basis, in);
	multiply(coefficients, half, transposed);
	quantize(out, coefficients[0], s);
}

// Canvas is the memory for a row of blocks of a component, and the parameters of painting there.
typedef struct {
	int component, top;  // its number, and the first row of samples
	size_t columns;      // blocks in the row
	int across, down;    // pixels that a sample covers along each side
	int width, height;   // of the image in pixels
	Steps steps;         // of the quantization
	JBLOCKROW coefficients;
	Block *blocks;
	uint8_t *painted; // by block
} Canvas;

static int min(int a, int b) { return a < b ? a : b; }

static int max(int a, int b) { return a > b ? a : b; }

// component_of returns Y, Cb or Cr of a pixel by the formulas of JFIF, less 128, with BITS
// fraction bits.
static inline int32_t component_of(const uint8_t *rgb, int component) {
	static const int32_t weights[MAX_PLANES][3] = {
		{19595, 38470, 7471}, {-11059, -21709, 32768}, {32768, -27439, -5329},
	};
	const int32_t *w = weights[component];
	return (w[0] * rgb[0] + w[1] * rgb[1] + w[2] * rgb[2] - (component == 0 ? 128 << 16 : 0)) >> (16 - BITS);
}

// Range is a range of pixels or samples, without the end.
typedef struct {
	int from, to;
} Range;

static inline Range intersection(Range a, Range b) { return (Range){max(a.from, b.from), min(a.to, b.to)}; }

// Mix is what some pixels of a patch add to a sample: the sum of their alphas, and of their
// components times alpha.
typedef struct {
	int32_t alpha, sum;
} Mix;

// mix_of returns the mix of the pixels of a patch in both ranges.
static inline Mix mix_of(const Patch *p, int component, Range rows, Range columns) {
	Mix m = {0, 0};
	for (int y = rows.from; y < rows.to; y++) {
		const int source_y = (p->source.top + min(y, p->at.height - 1)) % p->source.height;
		for (int x = columns.from; x < columns.to; x++) {
			const int source_x = (p->source.left + min(x, p->at.width - 1)) % p->source.width;
			const uint8_t *pixel = p->pixels + (size_t)source_y * p->row + (size_t)source_x * p->pixel;
			if (pixel[3] == 0) continue;
			m.alpha += pixel[3];
			m.sum += pixel[3] * component_of(pixel, component);
		}
	}
	return m;
}

// sample_at returns a sample of the block row, in a block that is going to change.
static inline int32_t *sample_at(Canvas *c, int x, int y) {
	const int i = x / DCTSIZE;
	if (!c->painted[i]) to_samples(c->blocks[i], c->coefficients[i], &c->steps);
	c->painted[i] = 1;
	return &c->blocks[i][y % DCTSIZE][x % DCTSIZE];
}

// pixels_of returns the pixels of a patch that sample i covers, relative to the patch. Each
// sample covers size pixels.
static inline Range pixels_of(int i, int size, int start, Range patch) {
	return intersection((Range){i * size - start, (i + 1) * size - start}, patch);
}

// reach returns the pixels of a patch along one side, relative to the patch. If it reaches the
// edge of the image, it continues beyond, where samples repeat the last pixel.
static Range reach(int start, int length, int image) {
	return (Range){0, start + length == image ? length + MAX_SAMP_FACTOR * DCTSIZE : length};
}

// samples_of returns the samples in limit that cover a range of pixels.
static Range samples_of(Range pixels, int start, int size, Range limit) {
	return intersection((Range){(start + pixels.from) / size, (start + pixels.to + size - 1) / size}, limit);
}

static void paint_patch(Canvas *c, const Patch *p) {
	const Range high = reach(p->at.top, p->at.height, c->height), wide = reach(p->at.left, p->at.width, c->width);
	const Range rows = samples_of(high, p->at.top, c->down, (Range){c->top, c->top + DCTSIZE});
	const Range columns = samples_of(wide, p->at.left, c->across, (Range){0, (int)c->columns * DCTSIZE});
	const int32_t all = 255 * c->across * c->down;
	for (int y = rows.from; y < rows.to; y++) {
		const Range covered = pixels_of(y, c->down, p->at.top, high);
		for (int x = columns.from; x < columns.to; x++) {
			const Mix m = mix_of(p, c->component, covered, pixels_of(x, c->across, p->at.left, wide));
			if (m.alpha == 0) continue;
			int32_t *sample = sample_at(c, x, y);
			*sample = (*sample * (all - m.alpha) + m.sum) / all;
		}
	}
}

static void paint_row(Canvas *c, const Painting *p) {
	memset(c->painted, 0, c->columns);
	for (int i = 0; i < p->count; i++) paint_patch(c, &p->patches[i]);
	for (size_t i = 0; i < c->columns; i++)
		if (c->painted[i]) to_coefficients(c->coefficients[i], c->blocks[i], &c->steps);
}

// set_steps reads a quantization table. A step of 0, which only a crafted file has, makes all of its
// coefficients 0.
static void set_steps(Steps *s, const JQUANT_TBL *table) {
	for (int i = 0; i < DCTSIZE2; i++) {
		s->sizes[i] = table->quantval[i] << BITS;
		s->inverses[i] = s->sizes[i] ? 1.0f / (float)s->sizes[i] : 0;
	}
}

// quantize_again replaces the stored steps of a row of blocks.
static void quantize_again(Canvas *c, const Steps *stored) {
	for (size_t i = 0; i < c->columns; i++) {
		int32_t coefficients[DCTSIZE2];
		dequantize(coefficients, c->coefficients[i], stored);
		quantize(c->coefficients[i], coefficients, &c->steps);
	}
}

// paint_component paints all rows of blocks of a component.
static void paint_component(j_compress_ptr e, int component, const Painting *p) {
	const jpeg_component_info *stored = &p->decoder->comp_info[component], *info = &e->comp_info[component];
	Canvas c = {
		.component = component, .columns = stored->width_in_blocks,
		.across = p->decoder->max_h_samp_factor / stored->h_samp_factor,
		.down = p->decoder->max_v_samp_factor / stored->v_samp_factor,
		.width = p->decoder->image_width, .height = p->decoder->image_height,
	};
	Steps before;
	set_steps(&before, stored->quant_table);
	set_steps(&c.steps, e->quant_tbl_ptrs[info->quant_tbl_no]);
	c.blocks = e->mem->alloc_large((j_common_ptr)e, JPOOL_IMAGE, c.columns * sizeof(Block));
	c.painted = e->mem->alloc_large((j_common_ptr)e, JPOOL_IMAGE, c.columns);
	for (int y = 0; y < (int)stored->height_in_blocks; y++) {
		e->progress->progress_monitor((j_common_ptr)e);
		c.coefficients = *e->mem->access_virt_barray((j_common_ptr)e, p->blocks[component], y, 1, TRUE);
		c.top = y * DCTSIZE;
		if (p->quality > 0) quantize_again(&c, &before);
		paint_row(&c, p);
	}
}

static void write_painted(j_compress_ptr e, void *painting) {
	const Painting *p = painting;
	jpeg_copy_critical_parameters(p->decoder, e);
	e->optimize_coding = p->optimize;
	e->write_JFIF_header = FALSE;
	if (p->quality > 0) {
		jpeg_set_quality(e, p->quality, TRUE);
		for (int i = 0; i < MAX_PLANES; i++) e->comp_info[i].quant_tbl_no = i > 0;
	}
	for (int i = 0; i < MAX_PLANES; i++) paint_component(e, i, p);
	jpeg_write_coefficients(e, p->blocks);
	jpeg_finish_compress(e);
}

// can_paint reports whether the components are Y, Cb and Cr with whole ratios of sizes.
static int can_paint(j_decompress_ptr d) {
	if (d->num_components != MAX_PLANES || d->jpeg_color_space != JCS_YCbCr) return 0;
	for (int i = 0; i < MAX_PLANES; i++) {
		const jpeg_component_info *c = &d->comp_info[i];
		if (c->quant_table == NULL) return 0;
		if (d->max_h_samp_factor % c->h_samp_factor != 0 || d->max_v_samp_factor % c->v_samp_factor != 0) return 0;
	}
	return 1;
}

static Damage paint_all(j_decompress_ptr d, Stop stop, void *painting) {
	Painting *p = painting;
	jpeg_read_header(d, TRUE);
	p->decoder = d;
	p->blocks = jpeg_read_coefficients(d);
	if (!can_paint(d)) return UNREADABLE;
	if (imaging_write_jpeg(write_painted, p, stop, p->data, p->size) == 0) return INTACT;
	return imaging_stopped(stop) ? STOPPED : UNREADABLE;
}

Damage imaging_paint(const Part *parts, int count, const Patch *patches, int patch_count,
	int quality, int optimize, Stop stop, unsigned char **data, unsigned long *size) {
	Painting p = {.patches = patches, .count = patch_count, .quality = quality, .optimize = optimize, .data = data, .size = size};
	return imaging_read_jpeg(parts, count, stop, paint_all, &p);
}
