#include "resample8.h"

#include <stdlib.h>
#include <string.h>

#include "simd.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

enum {
	BLOCK = ROW_ALIGNMENT, // columns that are combined together; rows are padded to whole blocks
	GROUP = 8,  // outputs of a row that are computed together
	CHUNK = 8,  // inputs of an output that are multiplied together
	// A sum of rows is an int16_t with 6 fraction bits: −512 … 511 are twice the range of
	// Lanczos with its overshoot.
	FRACTION_BITS = 6,
	ROW_SHIFT = WEIGHT_BITS - FRACTION_BITS,
	COLUMN_SHIFT = WEIGHT_BITS + FRACTION_BITS,
};

// RowWeights are the weights of two neighbouring rows.
typedef struct {
	int16_t even, odd;
} RowWeights;

// Kernels are the two passes on one kind of CPU. rows computes a weighted sum of count pairs
// of rows, columns the outputs of one row in whole groups.
typedef struct {
	void (*rows)(const Resample8 *r, const RowWeights *weights, int count);
	void (*columns)(const Resample8 *r);
} Kernels;

struct Resample8 {
	const Kernels *kernels;
	int left, width;   // of the columns that outputs need, in whole blocks
	int outputs, rows; // of out
	int count;         // weights of an output row
	int pairs;         // that may contain count rows
	int chunks;        // that contain the weights of an output column
	int copies;        // whether the output is the same as the input
	int read, written;
	uint8_t *out;
	size_t stride;
	// The ring buffer holds pairs of rows: a number is a byte of the even row, and 256 times
	// the byte of the odd row below it.
	uint16_t *ring;
	const uint16_t **window; // the pairs of an output row
	int16_t *sums;           // a weighted sum of rows
	uint8_t *row;            // an output row of whole groups
	int32_t *first_rows;
	RowWeights *row_weights; // pairs for each output row
	int32_t *first_columns;  // for whole groups
	// For each group and chunk: the weights of outputs 0 and 4, 1 and 5, 2 and 6, 3 and 7.
	int16_t *column_weights;
};

static int blocks(int n, int size) { return (n + size - 1) / size; }

static void pair_weights(Resample8 *r, const Weights8 *w) {
	memcpy(r->first_rows, w->first, w->outputs * sizeof *w->first);
	for (int y = 0; y < w->outputs; y++) {
		int16_t *to = &r->row_weights[(size_t)y * r->pairs].even + (w->first[y] & 1);
		memcpy(to, w->weights + (size_t)y * w->count, w->count * sizeof *to);
	}
}

// weights_of returns the first chunk of weights of output x in its row. The next chunk follows
// GROUP chunks later.
static int16_t *weights_of(const Resample8 *r, int x) {
	const size_t chunk = (size_t)(x / GROUP) * r->chunks * GROUP + x % 4 * 2 + x % GROUP / 4;
	return r->column_weights + chunk * CHUNK;
}

static void group_weights(Resample8 *r, const Weights8 *w) {
	for (int x = 0; x < w->outputs; x++) {
		const int16_t *from = w->weights + (size_t)x * w->count;
		int16_t *to = weights_of(r, x);
		r->first_columns[x] = w->first[x] - r->left;
		for (int j = 0; j < w->count; j += CHUNK, to += CHUNK * GROUP)
			memcpy(to, from + j, (w->count - j < CHUNK ? w->count - j : CHUNK) * sizeof *to);
	}
}

// take returns size bytes of memory, aligned for vectors, or only counts them.
static void *take(char *memory, size_t *used, size_t size) {
	void *taken = memory == NULL ? NULL : memory + *used;
	*used += (size + BLOCK - 1) / BLOCK * BLOCK;
	return taken;
}

// divide divides the memory into the buffers and returns its size.
static size_t divide(Resample8 *r, char *memory) {
	const size_t groups = blocks(r->outputs, GROUP), row_pairs = (size_t)r->pairs * r->rows;
	size_t used = 0;
	take(memory, &used, sizeof *r);
	r->ring = take(memory, &used, (size_t)r->pairs * r->width * sizeof *r->ring);
	r->window = take(memory, &used, r->pairs * sizeof *r->window);
	r->sums = take(memory, &used, (r->width + r->chunks * CHUNK) * sizeof *r->sums);
	r->row = take(memory, &used, groups * GROUP);
	r->first_rows = take(memory, &used, r->rows * sizeof *r->first_rows);
	r->row_weights = take(memory, &used, row_pairs * sizeof *r->row_weights);
	r->first_columns = take(memory, &used, groups * GROUP * sizeof *r->first_columns);
	r->column_weights = take(memory, &used, groups * GROUP * r->chunks * CHUNK * sizeof *r->column_weights);
	return used;
}

#if defined(__aarch64__)

static void combine_rows_neon(const Resample8 *r, const RowWeights *weights, int count) {
	for (int x = 0; x < r->width; x += 16) {
		int32x4_t sum[4];
		for (int v = 0; v < 4; v++) sum[v] = vdupq_n_s32(0);
		for (int k = 0; k < count; k++) {
			for (int v = 0; v < 4; v += 2) {
				const uint16x8_t in = vld1q_u16(r->window[k] + x + 4 * v);
				const int16x8_t even = vreinterpretq_s16_u16(vandq_u16(in, vdupq_n_u16(255)));
				const int16x8_t odd = vreinterpretq_s16_u16(vshrq_n_u16(in, 8));
				sum[v] = vmlal_n_s16(sum[v], vget_low_s16(even), weights[k].even);
				sum[v] = vmlal_n_s16(sum[v], vget_low_s16(odd), weights[k].odd);
				sum[v + 1] = vmlal_n_s16(sum[v + 1], vget_high_s16(even), weights[k].even);
				sum[v + 1] = vmlal_n_s16(sum[v + 1], vget_high_s16(odd), weights[k].odd);
			}
		}
		for (int v = 0; v < 4; v++) vst1_s16(r->sums + x + 4 * v, vqrshrn_n_s32(sum[v], ROW_SHIFT));
	}
}

static void combine_columns_neon(const Resample8 *r) {
	const int16_t *weights = r->column_weights;
	for (int x = 0; x < r->outputs; x += GROUP) {
		const int32_t *first = r->first_columns + x;
		const int16_t *in = r->sums;
		int32x4_t sum[GROUP];
		for (int i = 0; i < GROUP; i++) sum[i] = vdupq_n_s32(0);
		for (int k = 0; k < r->chunks; k++, in += CHUNK) {
			for (int i = 0; i < GROUP; i++, weights += CHUNK) {
				const int at = i % 2 * 4 + i / 2;
				const int16x8_t v = vld1q_s16(in + first[at]), w = vld1q_s16(weights);
				sum[at] = vmlal_s16(sum[at], vget_low_s16(v), vget_low_s16(w));
				sum[at] = vmlal_s16(sum[at], vget_high_s16(v), vget_high_s16(w));
			}
		}
		const int32x4_t low = vpaddq_s32(vpaddq_s32(sum[0], sum[1]), vpaddq_s32(sum[2], sum[3]));
		const int32x4_t high = vpaddq_s32(vpaddq_s32(sum[4], sum[5]), vpaddq_s32(sum[6], sum[7]));
		vst1_u8(r->row + x, vqmovun_s16(vcombine_s16(
			vqmovn_s32(vrshrq_n_s32(low, COLUMN_SHIFT)), vqmovn_s32(vrshrq_n_s32(high, COLUMN_SHIFT)))));
	}
}

static const Kernels neon = {combine_rows_neon, combine_columns_neon};

static const Kernels *kernels(void) { return &neon; }

#else

static void combine_rows(const Resample8 *r, const RowWeights *weights, int count) {
	for (int x = 0; x < r->width; x += BLOCK) {
		int32_t sum[BLOCK];
		for (int i = 0; i < BLOCK; i++) sum[i] = 1 << (ROW_SHIFT - 1);
		for (int k = 0; k < count; k++) {
			const uint16_t *pair = r->window[k] + x;
			for (int i = 0; i < BLOCK; i++)
				sum[i] += (pair[i] & 255) * weights[k].even + (pair[i] >> 8) * weights[k].odd;
		}
		for (int i = 0; i < BLOCK; i++) {
			const int32_t v = sum[i] >> ROW_SHIFT;
			r->sums[x + i] = v < INT16_MIN ? INT16_MIN : v > INT16_MAX ? INT16_MAX : v;
		}
	}
}

static void combine_columns(const Resample8 *r) {
	for (int x = 0; x < r->outputs; x++) {
		const int16_t *in = r->sums + r->first_columns[x], *w = weights_of(r, x);
		int32_t sum = 1 << (COLUMN_SHIFT - 1);
		for (int k = 0; k < r->chunks; k++, in += CHUNK, w += CHUNK * GROUP)
			for (int j = 0; j < CHUNK; j++) sum += in[j] * w[j];
		sum >>= COLUMN_SHIFT;
		r->row[x] = sum < 0 ? 0 : sum > 255 ? 255 : sum;
	}
}

static const Kernels scalar = {combine_rows, combine_columns};

#if defined(__x86_64__)

__attribute__((target("avx2")))
static void combine_rows_avx2(const Resample8 *r, const RowWeights *weights, int count) {
	const __m256i zero = _mm256_setzero_si256(), half = _mm256_set1_epi32(1 << (ROW_SHIFT - 1));
	for (int x = 0; x < r->width; x += BLOCK) {
		__m256i low[4] = {half, half, half, half}, high[4] = {half, half, half, half};
		for (int k = 0; k < count; k++) {
			const __m256i *pair = (const __m256i *)(r->window[k] + x);
			int32_t both;
			memcpy(&both, &weights[k], sizeof both);
			const __m256i w = _mm256_set1_epi32(both);
			for (int v = 0; v < 4; v++) {
				const __m256i in = _mm256_loadu_si256(pair + v);
				low[v] = _mm256_add_epi32(low[v], _mm256_madd_epi16(_mm256_unpacklo_epi8(in, zero), w));
				high[v] = _mm256_add_epi32(high[v], _mm256_madd_epi16(_mm256_unpackhi_epi8(in, zero), w));
			}
		}
		for (int v = 0; v < 4; v++)
			_mm256_storeu_si256((__m256i *)(r->sums + x) + v, _mm256_packs_epi32(
				_mm256_srai_epi32(low[v], ROW_SHIFT), _mm256_srai_epi32(high[v], ROW_SHIFT)));
	}
}

__attribute__((target("avx2")))
static inline __m256i two_chunks(const int16_t *sums, int first, int second) {
	return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(sums + first))),
		_mm_loadu_si128((const __m128i *)(sums + second)), 1);
}

__attribute__((target("avx2")))
static void combine_columns_avx2(const Resample8 *r) {
	const __m256i half = _mm256_set1_epi32(1 << (COLUMN_SHIFT - 1));
	const __m256i *weights = (const __m256i *)r->column_weights;
	for (int x = 0; x < r->outputs; x += GROUP) {
		const int32_t *first = r->first_columns + x;
		const int16_t *in = r->sums;
		__m256i sum[4] = {0};
		for (int k = 0; k < r->chunks; k++, in += CHUNK, weights += 4)
			for (int i = 0; i < 4; i++)
				sum[i] = _mm256_add_epi32(sum[i], _mm256_madd_epi16(
					two_chunks(in, first[i], first[i + 4]), _mm256_loadu_si256(weights + i)));
		__m256i v = _mm256_hadd_epi32(_mm256_hadd_epi32(sum[0], sum[1]), _mm256_hadd_epi32(sum[2], sum[3]));
		v = _mm256_srai_epi32(_mm256_add_epi32(v, half), COLUMN_SHIFT);
		const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
		_mm_storel_epi64((__m128i *)(r->row + x), _mm_packus_epi16(words, words));
	}
}

static const Kernels avx2 = {combine_rows_avx2, combine_columns_avx2};

static const Kernels *kernels(void) { return __builtin_cpu_supports("avx2") ? &avx2 : &scalar; }

#else

static const Kernels *kernels(void) { return &scalar; }

#endif

#endif

// is_copy reports whether output i is input i.
static int is_copy(const Weights8 *w) {
	int same = w->count == 1;
	for (int i = 0; i < w->outputs && same; i++) same = w->first[i] == i;
	return same;
}

Resample8 *imaging_resample8_new(const Weights8 *columns, const Weights8 *rows, uint8_t *out, size_t stride) {
	const int left = columns->first[0] / BLOCK * BLOCK, end = columns->first[columns->outputs - 1] + columns->count;
	Resample8 r = {
		.kernels = kernels(), .left = left, .width = blocks(end - left, BLOCK) * BLOCK, .outputs = columns->outputs, .rows = rows->outputs,
		.count = rows->count, .pairs = rows->count / 2 + 1, .chunks = blocks(columns->count, CHUNK),
		.copies = is_copy(columns) && is_copy(rows), .out = out, .stride = stride,
	};
	const size_t size = divide(&r, NULL);
	char *memory = aligned_alloc(BLOCK, size);
	if (memory == NULL) return NULL;
	memset(memory, 0, size);
	divide(&r, memory);
	pair_weights(&r, rows);
	group_weights(&r, columns);
	return memcpy(memory, &r, sizeof r);
}

void imaging_resample8_free(Resample8 *r) { free(r); }

// keep adds the next row to the ring buffer.
FOR_EACH_CPU
static void keep(Resample8 *r, const uint8_t *restrict row) {
	uint16_t *restrict pair = r->ring + (size_t)(r->read / 2 % r->pairs) * r->width;
	if (r->read++ % 2 == 0) {
		for (int x = 0; x < r->width; x++) pair[x] = row[x];
	} else {
		for (int x = 0; x < r->width; x++) pair[x] = (pair[x] & 255) | row[x] << 8;
	}
}

static void write_row(Resample8 *r) {
	const int first = r->first_rows[r->written], count = (first % 2 + r->count + 1) / 2;
	for (int k = 0; k < count; k++)
		r->window[k] = r->ring + (size_t)((first / 2 + k) % r->pairs) * r->width;
	r->kernels->rows(r, r->row_weights + (size_t)r->written * r->pairs, count);
	r->kernels->columns(r);
	memcpy(r->out + r->written++ * r->stride, r->row, r->outputs);
}

int imaging_resample8_push(Resample8 *r, uint8_t *const *rows, int n) {
	for (int i = 0; i < n && r->written < r->rows; i++) {
		if (r->copies) {
			memcpy(r->out + r->written++ * r->stride, rows[i], r->outputs);
			continue;
		}
		if (r->read >= r->first_rows[0] / 2 * 2) keep(r, rows[i] + r->left);
		else r->read++;
		while (r->written < r->rows && r->read >= r->first_rows[r->written] + r->count) write_row(r);
	}
	return r->written;
}
