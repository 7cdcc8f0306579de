// Measures the least work of a resize from JPEG to JPEG: to decode the planes of Y, Cb and Cr,
// and to encode planes of the output's size, which are made beforehand from the same image.
// The planes are subsampled as 4:2:0, and codes are optimized, as in the outputs of the peers.
//
// Reads lines "<file> <width> <height> <format> <eighths>" and prints for each the CPU time
// in ms, the wall time in ms, and the output size in bytes. The decoder scales the image by
// eighths/8. With the argument "full", it always decodes at full size.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <jpeglib.h>

enum { PLANES = 3, MAX_ROWS = 4 * DCTSIZE };

typedef struct {
	int width, height, stride; // stride and the number of rows are padded to whole MCUs
	JSAMPLE *samples;
} Plane;

static double now(clockid_t clock) {
	struct timespec t;
	clock_gettime(clock, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void *allocate(size_t size) {
	void *memory = calloc(1, size);
	if (memory == NULL) abort();
	return memory;
}

// decode decodes the image row of MCUs by row of MCUs, all to the same memory, as a resize
// does that works row by row. If planes is not NULL, the planes are kept there.
static void decode(const unsigned char *data, size_t size, int eighths, Plane *planes) {
	struct jpeg_decompress_struct d;
	struct jpeg_error_mgr errors;
	d.err = jpeg_std_error(&errors);
	jpeg_create_decompress(&d);
	jpeg_mem_src(&d, data, size);
	jpeg_read_header(&d, TRUE);
	d.scale_num = eighths, d.scale_denom = 8;
	d.raw_data_out = TRUE;
	jpeg_start_decompress(&d);
	JSAMPROW rows[PLANES][MAX_ROWS];
	JSAMPARRAY row_lists[PLANES] = {rows[0], rows[1], rows[2]};
	JSAMPLE *memory[PLANES] = {0};
	for (int c = 0; c < d.num_components; c++) {
		const jpeg_component_info *info = &d.comp_info[c];
		const int height = info->v_samp_factor * info->DCT_scaled_size;
		const int stride = info->width_in_blocks * info->DCT_scaled_size + DCTSIZE * 4;
		memory[c] = allocate((size_t)stride * (planes ? (size_t)d.total_iMCU_rows : 1) * height);
		for (int y = 0; y < height; y++) rows[c][y] = memory[c] + (size_t)y * stride;
		if (planes) planes[c] = (Plane){info->downsampled_width, info->downsampled_height, stride, memory[c]};
	}
	while (d.output_scanline < d.output_height) {
		const int height = d.max_v_samp_factor * d.min_DCT_scaled_size;
		jpeg_read_raw_data(&d, row_lists, height);
		for (int c = 0; planes && c < d.num_components; c++) {
			const int step = d.comp_info[c].v_samp_factor * d.comp_info[c].DCT_scaled_size;
			for (int y = 0; y < step; y++) rows[c][y] += (size_t)step * planes[c].stride;
		}
	}
	for (int c = 0; !planes && c < d.num_components; c++) free(memory[c]);
	jpeg_finish_decompress(&d);
	jpeg_destroy_decompress(&d);
}

// shrink returns the plane in another size, by the means of boxes.
static Plane shrink(Plane from, int width, int height) {
	const int stride = (width + 15) / 16 * 16, rows = (height + 15) / 16 * 16;
	Plane to = {width, height, stride, allocate((size_t)stride * rows)};
	for (int y = 0; y < rows; y++) {
		for (int x = 0; x < stride; x++) {
			const int column = x < width ? x : width - 1, row = y < height ? y : height - 1;
			const int left = column * from.width / width, top = row * from.height / height;
			const int right = (column + 1) * from.width / width, bottom = (row + 1) * from.height / height;
			int sum = 0, n = 0;
			for (int v = top; v < bottom || v == top; v++)
				for (int u = left; u < right || u == left; u++, n++) sum += from.samples[(size_t)v * from.stride + u];
			to.samples[(size_t)y * stride + x] = (sum + n / 2) / n;
		}
	}
	return to;
}

static size_t encode(const Plane *planes) {
	struct jpeg_compress_struct e;
	struct jpeg_error_mgr errors;
	unsigned char *out = NULL;
	unsigned long size = 0;
	e.err = jpeg_std_error(&errors);
	jpeg_create_compress(&e);
	jpeg_mem_dest(&e, &out, &size);
	e.image_width = planes[0].width, e.image_height = planes[0].height;
	e.input_components = PLANES, e.in_color_space = JCS_YCbCr;
	jpeg_set_defaults(&e); // 4:2:0
	jpeg_set_quality(&e, 85, TRUE);
	e.optimize_coding = TRUE;
	e.raw_data_in = TRUE;
	jpeg_start_compress(&e, TRUE);
	while (e.next_scanline < e.image_height) {
		JSAMPROW rows[PLANES][2 * DCTSIZE];
		JSAMPARRAY row_lists[PLANES] = {rows[0], rows[1], rows[2]};
		for (int c = 0; c < PLANES; c++) {
			const int n = c == 0 ? 2 * DCTSIZE : DCTSIZE, last = (planes[c].height + n - 1) / n * n - 1;
			const int top = c == 0 ? e.next_scanline : e.next_scanline / 2;
			for (int y = 0; y < n; y++)
				rows[c][y] = planes[c].samples + (size_t)(top + y < last ? top + y : last) * planes[c].stride;
		}
		jpeg_write_raw_data(&e, row_lists, 2 * DCTSIZE);
	}
	jpeg_finish_compress(&e);
	jpeg_destroy_compress(&e);
	free(out);
	return size;
}

static unsigned char *read_file(const char *path, size_t *size) {
	FILE *file = fopen(path, "rb");
	if (file == NULL || fseek(file, 0, SEEK_END)) exit(1);
	*size = ftell(file);
	rewind(file);
	unsigned char *data = allocate(*size);
	if (fread(data, 1, *size, file) != *size) exit(1);
	fclose(file);
	return data;
}

int main(int argc, char **argv) {
	char path[4096], format[16], line[8400];
	int width, height, eighths;
	while (fgets(line, sizeof line, stdin)) {
		if (sscanf(line, "%4095s %d %d %15s %d", path, &width, &height, format, &eighths) < 5) return 1;
		if (argc > 1 && strcmp(argv[1], "full") == 0) eighths = 8;
		size_t size;
		unsigned char *data = read_file(path, &size);
		Plane planes[PLANES], outputs[PLANES];
		decode(data, size, eighths, planes);
		for (int c = 0; c < PLANES; c++)
			outputs[c] = shrink(planes[c], c ? (width + 1) / 2 : width, c ? (height + 1) / 2 : height);
		const double cpu = now(CLOCK_PROCESS_CPUTIME_ID), wall = now(CLOCK_MONOTONIC);
		decode(data, size, eighths, NULL);
		const size_t length = encode(outputs);
		const double took = now(CLOCK_PROCESS_CPUTIME_ID) - cpu, waited = now(CLOCK_MONOTONIC) - wall;
		printf("%g %g %zu\n", took, waited, length);
		fflush(stdout);
		for (int c = 0; c < PLANES; c++) free(planes[c].samples), free(outputs[c].samples);
		free(data);
	}
	return 0;
}
