// This program filters random planes and prints a digest of the results.

#include "../adjust.c"
#include "../blur8.c"

#include <stdio.h>

static uint64_t state = 1;

// below returns a random number from 0 to n − 1 (xorshift64*).
static int below(int n) {
	state ^= state >> 12, state ^= state << 25, state ^= state >> 27;
	return (state * 2685821657736338717u >> 33) % n;
}

static Plane random_plane(int width, int height) {
	uint8_t *samples = malloc((size_t)width * height);
	const int kind = below(3), grey = below(256);
	for (int i = 0; i < width * height; i++)
		samples[i] = kind == 0 ? below(256) : kind == 1 ? below(2) * 255 : clip(grey + below(33) - 16, 0, 255);
	return (Plane){.samples = samples, .width = width, .height = height};
}

static Gauss8 random_gauss(int16_t *weights) {
	const int radius = below(13);
	int left = GAUSS8_SUM;
	for (int i = radius; i > 0; i--) left -= weights[i] = below(left / (i + 1) + 1);
	weights[0] = left;
	return (Gauss8){radius, weights};
}

static uint64_t digest = 14695981039346656037u; // FNV-1a

static void add(const Plane *p) {
	for (int i = 0; i < p->width * p->height; i++) digest = (digest ^ p->samples[i]) * 1099511628211u;
}

int main(void) {
	const int32_t running = 0;
	int16_t weights[2][16];
	for (int i = 0; i < 600; i++) {
		const int width = 1 + below(300), height = 1 + below(40), count = below(4) ? 3 : 1;
		Plane planes[3] = {random_plane(width, height)};
		for (int c = 1; c < count; c++) planes[c] = random_plane((width + 1) / 2, (height + 1) / 2);
		const Gauss2D gauss = {random_gauss(weights[0]), random_gauss(weights[1])};
		const Adjustment all[] = {
			{1, 0, below(511) - 255, 0, NULL}, {below(500) / 100.0f, 0, below(1000) - 500, 0, NULL},
			{1.5f, -0.5f, 0, 0, NULL}, {5, -4, 0, 0, NULL}, {1, 0, 0, below(2001) / 100.0f - 10, &gauss},
		};
		if (i % 6 == 5) imaging_blur8(&planes[0], &gauss, &running);
		else imaging_adjust(planes, count, &all[i % 6], &running);
		for (int c = 0; c < count; c++) add(&planes[c]), free(planes[c].samples);
	}
	printf("%016llx\n", (unsigned long long)digest);
	return 0;
}
