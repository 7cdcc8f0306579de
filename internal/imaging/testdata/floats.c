// This program converts planes of all colours to floats. It compares the numbers with the
// formulas of JFIF and prints a digest of them.

#include "../floats.c"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 4099, HEIGHT = 256, STRIDE = WIDTH + 5 };

static void check(float number, double colour, float white) {
	const double want = fmin(fmax(colour, 0), 255) * white / 255;
	if (fabs(number - want) > 0.004 * white / 255) {
		fprintf(stderr, "%g, want %g\n", number, want);
		exit(1);
	}
}

// converted converts planes and returns a digest of the numbers.
static uint64_t converted(const Plane *planes, int count, float white, uint64_t digest) {
	static float numbers[3][HEIGHT * STRIDE], turned[3][HEIGHT * STRIDE];
	for (int y = 0; y < HEIGHT; y++) {
		imaging_planes_to_floats(planes, count, y, &(FloatPlanes){numbers[0], numbers[1], numbers[2], 1, STRIDE, white});
		imaging_planes_to_floats(planes, count, y, &(FloatPlanes){turned[0], turned[1], turned[2], HEIGHT, 1, white});
	}
	for (int i = 0; i < WIDTH * HEIGHT; i++) {
		const int at = i / WIDTH * STRIDE + i % WIDTH, turned_at = i % WIDTH * HEIGHT + i / WIDTH;
		const double y = planes->samples[i], cb = count == 1 ? 0 : planes[1].samples[i] - 128.0;
		const double cr = count == 1 ? 0 : planes[2].samples[i] - 128.0;
		check(numbers[0][at], y + 1.402 * cr, white);
		check(numbers[1][at], y - 0.344136286 * cb - 0.714136286 * cr, white);
		check(numbers[2][at], y + 1.772 * cb, white);
		for (int c = 0; c < 3; c++) {
			if (turned[c][turned_at] != numbers[c][at]) exit(2);
			uint32_t bits;
			memcpy(&bits, &numbers[c][at], sizeof bits);
			digest = (digest ^ bits) * 1099511628211u; // FNV-1a
		}
	}
	return digest;
}

int main(void) {
	static uint8_t samples[3][WIDTH * HEIGHT];
	uint64_t state = 1, digest = 14695981039346656037u;
	for (int i = 0; i < WIDTH * HEIGHT; i++) {
		state ^= state >> 12, state ^= state << 25, state ^= state >> 27; // xorshift64*
		const uint64_t random = state * 2685821657736338717u;
		for (int c = 0; c < 3; c++) samples[c][i] = random >> (32 + 8 * c);
	}
	Plane planes[3];
	for (int c = 0; c < 3; c++) planes[c] = (Plane){samples[c], WIDTH, HEIGHT, 1, 1};
	for (int count = 1; count <= 3; count += 2) {
		digest = converted(planes, count, 1, digest);
		digest = converted(planes, count, 255, digest);
	}
	printf("%016llx\n", (unsigned long long)digest);
}
