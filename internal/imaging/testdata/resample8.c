// This program resamples random planes with random weights. It compares the results with those
// of the scalar code, if that is compiled too, and with sums of doubles, and prints a digest of
// them. With an argument, it measures the time of typical planes instead.

#include "../resample8.c"

#include <math.h>
#include <stdio.h>
#include <time.h>

static uint64_t state = 1;

// below returns a random number from 0 to n − 1 (xorshift64*).
static int below(int n) {
	state ^= state >> 12, state ^= state << 25, state ^= state >> 27;
	return (state * 2685821657736338717u >> 33) % n;
}

static Weights8 random_weights(int inputs) {
	const int outputs = 1 + below(below(4) ? 40 : 300), widest = below(3) ? 20 : 600;
	const int count = 1 + below(inputs < widest ? inputs : widest);
	int32_t *first = malloc(outputs * sizeof *first);
	int16_t *weights = calloc((size_t)outputs * count, sizeof *weights);
	for (int i = 0, at = 0; i < outputs; i++) {
		const int left = inputs - count - at;
		first[i] = at += left > 0 && below(4) ? below(1 + 2 * left / (outputs - i)) % (left + 1) : 0;
		// Half of the weights may be moved to another place or be negative.
		int16_t *w = weights + (size_t)i * count;
		w[below(count)] = 1 << WEIGHT_BITS;
		for (int j = 0, budget = 1 << (WEIGHT_BITS - 1); j < 2 * count && budget > 0; j++) {
			const int divisor = 1 + below(8), sign = below(2) ? 1 : -1, moved = below(budget + 1) / divisor * sign;
			w[below(count)] += moved, w[below(count)] -= moved, budget -= abs(moved);
		}
	}
	return (Weights8){outputs, count, first, weights};
}

static void free_weights(Weights8 w) { free((void *)w.first), free((void *)w.weights); }

static uint8_t **random_rows(int width, int height) {
	const size_t stride = blocks(width, BLOCK) * BLOCK;
	uint8_t **rows = malloc(height * sizeof *rows);
	const int kind = below(3);
	for (int y = 0; y < height; y++) {
		rows[y] = malloc(stride);
		for (size_t x = 0; x < stride; x++)
			rows[y][x] = kind == 0 ? below(256) : kind == 1 ? below(2) * 255 : (int)x * y + below(16);
	}
	return rows;
}

static void free_rows(uint8_t **rows, int height) {
	for (int y = 0; y < height; y++) free(rows[y]);
	free(rows);
}

static void fail(const char *what, int x, int y) {
	fprintf(stderr, "%s: output %d, %d differs\n", what, x, y);
	exit(1);
}

// check compares an output plane with sums of doubles. Rows are rounded to 6 bits.
static void check(const uint8_t *out, uint8_t **in, const Weights8 *columns, const Weights8 *rows) {
	for (int y = 0; y < rows->outputs; y++) {
		for (int x = 0; x < columns->outputs; x++) {
			double sum = 0;
			for (int j = 0; j < rows->count; j++) {
				double across = 0;
				for (int i = 0; i < columns->count; i++)
					across += in[rows->first[y] + j][columns->first[x] + i]
						* (double)columns->weights[(size_t)x * columns->count + i];
				sum += across * rows->weights[(size_t)y * rows->count + j];
			}
			sum = fmin(fmax(sum / (1 << WEIGHT_BITS) / (1 << WEIGHT_BITS), 0), 255);
			if (fabs(out[(size_t)y * columns->outputs + x] - sum) > 0.5 + 1.0 / (1 << FRACTION_BITS))
				fail("double", x, y);
		}
	}
}

static void resample(const Kernels *k, uint8_t **in, int height, const Weights8 *columns,
	const Weights8 *rows, uint8_t *out) {
	Resample8 *r = imaging_resample8_new(columns, rows, out, columns->outputs);
	if (k != NULL) r->kernels = k;
	for (int y = 0, n = 1; y < height; y += n) {
		n = height - y < 16 ? height - y : 16;
		imaging_resample8_push(r, in + y, n);
	}
	if (imaging_resample8_push(r, NULL, 0) != rows->outputs) fail("end", 0, rows->outputs);
	imaging_resample8_free(r);
}

static uint64_t test_case(uint64_t digest) {
	const int width = 1 + below(below(3) ? 200 : 900), height = 1 + below(below(3) ? 50 : 700);
	const Weights8 columns = random_weights(width), rows = random_weights(height);
	const size_t size = (size_t)columns.outputs * rows.outputs;
	uint8_t **in = random_rows(width, height), *out = malloc(size);
	resample(NULL, in, height, &columns, &rows, out);
#if !defined(__aarch64__)
	uint8_t *same = malloc(size);
	resample(&scalar, in, height, &columns, &rows, same);
	for (size_t i = 0; i < size; i++)
		if (out[i] != same[i]) fail("scalar", i % columns.outputs, i / columns.outputs);
	free(same);
#endif
	if ((double)size * columns.count * rows.count < 3e7) check(out, in, &columns, &rows);
	for (size_t i = 0; i < size; i++) digest = (digest ^ out[i]) * 1099511628211u; // FNV-1a
	free_rows(in, height), free(out), free_weights(columns), free_weights(rows);
	return digest;
}

// lanczos3 returns weights of about the right size, for measurements.
static Weights8 lanczos3(int inputs, int outputs) {
	const double scale = fmax(1, (double)inputs / outputs);
	const int count = (int)(6 * scale) + 1;
	int32_t *first = malloc(outputs * sizeof *first);
	int16_t *weights = malloc((size_t)outputs * count * sizeof *weights);
	for (int i = 0; i < outputs; i++) {
		first[i] = fmin(fmax(ceil((i + 0.5) * inputs / outputs - 0.5 - 3 * scale), 0), inputs - count);
		for (int j = 0; j < count; j++) weights[i * count + j] = (1 << WEIGHT_BITS) / count;
	}
	return (Weights8){outputs, count, first, weights};
}

static double measure(const Kernels *k, int width, int height, int to_width, int to_height) {
	const Weights8 columns = lanczos3(width, to_width), rows = lanczos3(height, to_height);
	uint8_t **in = random_rows(width, height), *out = malloc((size_t)to_width * to_height);
	double best = 1e9;
	for (int i = 0; i < 50; i++) {
		struct timespec from, to;
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
		resample(k, in, height, &columns, &rows, out);
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
		best = fmin(best, (to.tv_sec - from.tv_sec) * 1e3 + (to.tv_nsec - from.tv_nsec) * 1e-6);
	}
	free_rows(in, height), free(out), free_weights(columns), free_weights(rows);
	return best;
}

int main(int count, char **arguments) {
	(void)arguments;
	if (count > 1) {
		const int sizes[][4] = {{1920, 1080, 800, 450}, {2016, 1512, 800, 600}, {960, 540, 800, 450}, {640, 360, 1280, 720}};
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
			const int *s = sizes[i];
			const double luma = measure(NULL, s[0], s[1], s[2], s[3]);
			const double chroma = 2 * measure(NULL, s[0] / 2, s[1] / 2, s[2] / 2, s[3] / 2);
			printf("%d×%d to %d×%d: luma %.2f ms, 4:2:0 chroma %.2f ms\n", s[0], s[1], s[2], s[3], luma, chroma);
		}
		return 0;
	}
	uint64_t digest = 14695981039346656037u;
	for (int i = 0; i < 150; i++) digest = test_case(digest);
	printf("%016llx\n", (unsigned long long)digest);
}
