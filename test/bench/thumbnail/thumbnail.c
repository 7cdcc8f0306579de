// Reads lines "<file> <width> <height> <format> <eighths> <mode> [<output>]" and prints for each the CPU
// time in ms, the wall time in ms, and the output size in bytes. If output is given, it also
// writes the result to that file.
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <vips/vips.h>

static double now(clockid_t clock) {
	struct timespec t;
	clock_gettime(clock, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static int save(VipsImage *image, const char *format, void **out, size_t *length) {
	if (strcmp(format, "png") == 0)
		return vips_pngsave_buffer(image, out, length, "compression", 1,
			"filter", VIPS_FOREIGN_PNG_FILTER_ALL, "strip", TRUE, NULL);
	if (strcmp(format, "webp") == 0) return vips_webpsave_buffer(image, out, length, "Q", 80, "strip", TRUE, NULL);
	return vips_jpegsave_buffer(image, out, length, "Q", 85, "optimize_coding", TRUE, "strip", TRUE, NULL);
}

enum { STRETCH, ATTENTION, ANIMATION };

static int thumbnail(gchar *data, gsize size, int width, int height, int mode, VipsImage **out) {
	if (mode == ATTENTION)
		return vips_thumbnail_buffer(data, size, out, width, "height", height, "crop", VIPS_INTERESTING_ATTENTION, NULL);
	return vips_thumbnail_buffer(data, size, out, width, "height", height, "size", VIPS_SIZE_FORCE,
		"option_string", mode == ANIMATION ? "n=-1" : "", NULL);
}

int main(int argc, char **argv) {
	char path[4096], format[16], keep[4096], line[8400];
	int width, height, unused, mode;
	if (VIPS_INIT(argv[0])) vips_error_exit(NULL);
	vips_concurrency_set(1);
	vips_cache_set_max(0);
	while (fgets(line, sizeof line, stdin)) {
		const int words = sscanf(line, "%4095s %d %d %15s %d %d %4095s", path, &width, &height, format, &unused,
			&mode, keep);
		gchar *data;
		gsize size;
		if (words < 6 || !g_file_get_contents(path, &data, &size, NULL)) return 1;
		VipsImage *image;
		void *out;
		size_t length;
		const double cpu = now(CLOCK_PROCESS_CPUTIME_ID), wall = now(CLOCK_MONOTONIC);
		if (thumbnail(data, size, width, height, mode, &image)) vips_error_exit(NULL);
		if (save(image, format, &out, &length)) vips_error_exit(NULL);
		g_object_unref(image);
		const double took = now(CLOCK_PROCESS_CPUTIME_ID) - cpu, waited = now(CLOCK_MONOTONIC) - wall;
		if (words == 7 && !g_file_set_contents(keep, out, length, NULL)) return 1;
		printf("%g %g %zu\n", took, waited, length);
		fflush(stdout);
		g_free(out);
		g_free(data);
	}
	return 0;
}
