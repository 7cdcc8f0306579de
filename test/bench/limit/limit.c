// Measures the least work of a resize from JPEG or AVIF to JPEG: to decode the planes of Y, Cb and Cr,
// and to encode planes of the output's size, which are made beforehand from the same image.
// The planes are subsampled as 4:2:0, and codes are optimized, as in the outputs of the peers.
// dav1d decodes AVIF, in one thread, like libvips when its concurrency is 1.
//
// Reads lines "<file> <width> <height> <format> <eighths>" and prints for each the CPU time
// in ms, the wall time in ms, and the output size in bytes. The decoder scales a JPEG by
// eighths/8. With the argument "full", it always decodes at full size.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <dav1d/dav1d.h>
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

// decode_jpeg decodes the image row of MCUs by row of MCUs, all to the same memory, as a resize
// does that works row by row. If planes is not NULL, the planes are kept there.
static void decode_jpeg(const unsigned char *data, size_t size, int eighths, Plane *planes) {
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

static void keep_data(const uint8_t *data, void *unused) {
	(void)data, (void)unused;
}

// find_media returns the content of the box mdat, and its size.
static const unsigned char *find_media(const unsigned char *data, size_t size, size_t *length) {
	for (size_t at = 0; at + 8 <= size;) {
		const unsigned char *box = data + at;
		const size_t n = (size_t)box[0] << 24 | box[1] << 16 | box[2] << 8 | box[3];
		*length = n - 8;
		if (memcmp(box + 4, "mdat", 4) == 0) return box + 8;
		if (n < 8) break;
		at += n;
	}
	exit(1);
}

// decode_avif decodes an image of 8 bits in 4:2:0 that is all the media of the file. If planes is not
// NULL, the planes are copied there.
static void decode_avif(const unsigned char *data, size_t size, Plane *planes) {
	Dav1dSettings settings;
	Dav1dContext *decoder;
	Dav1dData input = {0};
	Dav1dPicture image = {0};
	size_t length;
	const unsigned char *media = find_media(data, size, &length);
	dav1d_default_settings(&settings);
	settings.n_threads = 1;
	if (dav1d_open(&decoder, &settings) || dav1d_data_wrap(&input, media, length, keep_data, NULL)) exit(1);
	if (dav1d_send_data(decoder, &input) || dav1d_get_picture(decoder, &image)) exit(1);
	for (int c = 0; planes && c < PLANES; c++) {
		const int width = c ? (image.p.w + 1) / 2 : image.p.w, height = c ? (image.p.h + 1) / 2 : image.p.h;
		planes[c] = (Plane){width, height, width, allocate((size_t)width * height)};
		for (int y = 0; y < height; y++)
			memcpy(planes[c].samples + (size_t)y * width, (uint8_t *)image.data[c] + y * image.stride[c > 0], width);
	}
	dav1d_picture_unref(&image);
	dav1d_data_unref(&input);
	dav1d_close(&decoder);
}

static void decode(const unsigned char *data, size_t size, int eighths, Plane *planes) {
	if (memcmp(data + 4, "ftyp", 4) == 0)
		decode_avif(data, size, planes);
	else
		decode_jpeg(data, size, eighths, planes);
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
