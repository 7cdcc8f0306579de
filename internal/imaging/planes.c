#include "planes.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "codes.h"
#include "simd.h"

// Reading is one call of imaging_read_planes.
typedef struct {
	const PlaneSource *source;
	PlaneSink sink;
	void *to;
} Reading;

// new_rows returns memory for the rows of a component in a row of MCUs.
static JSAMPARRAY new_rows(j_decompress_ptr d, const jpeg_component_info *c) {
	const int rows = c->v_samp_factor * c->DCT_scaled_size;
	const size_t stride = aligned((size_t)c->width_in_blocks * c->DCT_scaled_size);
	JSAMPARRAY all = d->mem->alloc_small((j_common_ptr)d, JPOOL_IMAGE, rows * sizeof(JSAMPROW));
	uint8_t *memory = d->mem->alloc_large((j_common_ptr)d, JPOOL_IMAGE, rows * stride);
	memset(memory, 0, rows * stride);
	for (int y = 0; y < rows; y++) all[y] = memory + y * stride;
	return all;
}

static int fits(j_decompress_ptr d, const PlaneSource *source) {
	if (d->num_components != source->planes) return 0;
	if (d->jpeg_color_space != (source->planes == 1 ? JCS_GRAYSCALE : JCS_YCbCr)) return 0;
	for (int i = 0; i < source->planes; i++) {
		const jpeg_component_info *c = &d->comp_info[i];
		const Plane *size = &source->sizes[i];
		if ((int)c->downsampled_width != size->width || (int)c->downsampled_height != size->height) return 0;
	}
	return 1;
}

// start_raw starts decoding to planes at scale/8 of the size.
static void start_raw(j_decompress_ptr d, int scale) {
	jpeg_read_header(d, TRUE);
	d->scale_num = scale, d->scale_denom = 8;
	d->out_color_space = d->jpeg_color_space;
	d->raw_data_out = TRUE;
	jpeg_start_decompress(d);
}

// read_mcu_rows decodes all rows of MCUs and passes them to the sink, if there is one.
static Damage read_mcu_rows(j_decompress_ptr d, const Reading *r, Stop stop) {
	JSAMPARRAY rows[MAX_COMPONENTS];
	int done[MAX_COMPONENTS] = {0};
	for (int i = 0; i < d->num_components; i++) rows[i] = new_rows(d, &d->comp_info[i]);
	while (d->output_scanline < d->output_height) {
		if (imaging_stopped(stop)) return STOPPED;
		jpeg_read_raw_data(d, rows, d->max_v_samp_factor * d->min_DCT_scaled_size);
		for (int i = 0; r != NULL && i < d->num_components; i++) {
			const jpeg_component_info *c = &d->comp_info[i];
			const int left = (int)c->downsampled_height - done[i], n = c->v_samp_factor * c->DCT_scaled_size;
			const int count = n < left ? n : left;
			if (count > 0) r->sink(r->to, i, rows[i], count);
			done[i] += count;
		}
	}
	return INTACT;
}

static Damage read_all(j_decompress_ptr d, Stop stop, void *reading) {
	const Reading *r = reading;
	start_raw(d, r->source->scale);
	return fits(d, r->source) ? read_mcu_rows(d, r, stop) : UNREADABLE;
}

Damage imaging_read_planes(const PlaneSource *source, PlaneSink sink, void *to, Stop stop) {
	Reading r = {source, sink, to};
	return imaging_read_jpeg(source->parts, source->count, stop, read_all, &r);
}

static void copy_rows(void *to, int plane, uint8_t *const *rows, int count) {
	Plane *p = (Plane *)to + plane;
	for (int i = 0; i < count; i++, p->samples += p->width) memcpy(p->samples, rows[i], p->width);
}

Damage imaging_decode_planes(const PlaneSource *source, Stop stop) {
	Plane planes[MAX_PLANES];
	memcpy(planes, source->sizes, source->planes * sizeof(Plane));
	return imaging_read_planes(source, copy_rows, planes, stop);
}

static void push_rows(void *to, int plane, uint8_t *const *rows, int count) {
	imaging_resample8_push(((Resample8 **)to)[plane], rows, count);
}

static Resample8 *new_resampler(const PlaneTarget *t, uint8_t *samples) {
	Resample8 *r = imaging_resample8_new(t->columns, t->rows, samples, t->columns->outputs);
	if (r == NULL) abort();
	return r;
}

Damage imaging_resample_planes(const PlaneSource *source, const PlaneTarget *targets, Stop stop) {
	Resample8 *resamplers[MAX_PLANES];
	for (int i = 0; i < source->planes; i++) resamplers[i] = new_resampler(&targets[i], targets[i].samples);
	const Damage damage = imaging_read_planes(source, push_rows, resamplers, stop);
	for (int i = 0; i < source->planes; i++) imaging_resample8_free(resamplers[i]);
	return damage;
}

// Conversion is one call of imaging_resample_to_floats.
typedef struct {
	const FloatPlanes *to;
	Resample8 *resamplers[MAX_PLANES];
	Plane planes[MAX_PLANES];
	int count, converted;     // planes and rows
	int written[MAX_PLANES]; // rows
} Conversion;

// convert_rows resamples rows, and converts those that all planes have while they are in a cache.
static void convert_rows(void *to, int plane, uint8_t *const *rows, int count) {
	Conversion *c = to;
	c->written[plane] = imaging_resample8_push(c->resamplers[plane], rows, count);
	int ready = c->written[0];
	for (int i = 1; i < c->count; i++)
		if (c->written[i] < ready) ready = c->written[i];
	for (; c->converted < ready; c->converted++) imaging_planes_to_floats(c->planes, c->count, c->converted, c->to);
}

Damage imaging_resample_to_floats(const PlaneSource *source, const PlaneTarget *targets, const FloatPlanes *to, Stop stop) {
	const int width = targets->columns->outputs, height = targets->rows->outputs;
	Conversion c = {.to = to, .count = source->planes};
	uint8_t *samples = malloc((size_t)width * height * c.count);
	if (samples == NULL) abort();
	for (int i = 0; i < c.count; i++) {
		c.planes[i] = (Plane){samples + (size_t)i * width * height, width, height, 1, 1};
		c.resamplers[i] = new_resampler(&targets[i], c.planes[i].samples);
	}
	const Damage damage = imaging_read_planes(source, convert_rows, &c, stop);
	for (int i = 0; i < c.count; i++) imaging_resample8_free(c.resamplers[i]);
	free(samples);
	return damage;
}

FOR_EACH_CPU
static void halve_rows(const uint8_t *restrict above, const uint8_t *restrict below, uint8_t *restrict to, int count) {
	for (int x = 0; x < count; x++) to[x] = (above[2 * x] + above[2 * x + 1] + below[2 * x] + below[2 * x + 1] + 2) >> 2;
}

void imaging_halve_plane(const Plane planes[2]) {
	const Plane *from = &planes[0], *to = &planes[1];
	for (int y = 0; y < to->height; y++) {
		const uint8_t *above = from->samples + (size_t)2 * y * from->width;
		const uint8_t *below = 2 * y + 1 < from->height ? above + from->width : above;
		uint8_t *out = to->samples + (size_t)y * to->width;
		halve_rows(above, below, out, from->width / 2);
		if (from->width % 2 != 0) out[to->width - 1] = (above[from->width - 1] + below[from->width - 1] + 1) >> 1;
	}
}

int imaging_resample_plane(const Plane planes[2], const Weights8 *columns, const Weights8 *rows, Stop stop) {
	const Plane *from = &planes[0], *to = &planes[1];
	Resample8 *r = imaging_resample8_new(columns, rows, to->samples, to->width);
	if (r == NULL) abort();
	uint8_t *row = calloc(1, aligned(from->width));
	if (row == NULL) abort();
	int stopped = 0;
	for (int y = 0; y < from->height && !stopped; y++) {
		memcpy(row, from->samples + (size_t)y * from->width, from->width);
		imaging_resample8_push(r, &row, 1);
		stopped = imaging_stopped(stop);
	}
	free(row);
	imaging_resample8_free(r);
	return stopped ? -1 : 0;
}

static Damage check_all(j_decompress_ptr d, Stop stop, void *unused) {
	start_raw(d, 1);
	return read_mcu_rows(d, NULL, stop);
}

Damage imaging_check_jpeg(const Part *parts, int count, Stop stop) {
	return imaging_read_jpeg(parts, count, stop, check_all, NULL);
}

// Encoder is an encoder with the place to continue after an error.
typedef struct {
	struct jpeg_compress_struct encoder;
	struct jpeg_error_mgr errors;
	struct jpeg_progress_mgr progress;
	jmp_buf failed;
	Stop stop;
} Encoder;

static void abort_encoding(j_common_ptr encoder) { longjmp(((Encoder *)encoder)->failed, 1); }

static void discard_message(j_common_ptr encoder) {}

// check_stop is called for each row of MCUs.
static void check_stop(j_common_ptr encoder) {
	if (imaging_stopped(((Encoder *)encoder)->stop)) abort_encoding(encoder);
}

int imaging_write_jpeg(JpegWriting work, void *user, Stop stop, unsigned char **data, unsigned long *size) {
	Encoder c = {.stop = stop, .progress.progress_monitor = check_stop};
	volatile int failed = -1;
	*data = NULL, *size = 0;
	c.encoder.err = jpeg_std_error(&c.errors);
	c.errors.error_exit = abort_encoding;
	c.errors.output_message = discard_message;
	if (setjmp(c.failed) == 0) {
		jpeg_create_compress(&c.encoder);
		c.encoder.progress = &c.progress;
		jpeg_mem_dest(&c.encoder, data, size);
		work(&c.encoder, user);
		failed = 0;
	}
	if (failed && c.encoder.dest != NULL) {
		c.encoder.dest->term_destination(&c.encoder); // sets *data to the buffer in use
		free(*data);
		*data = NULL;
	}
	jpeg_destroy_compress(&c.encoder);
	return failed;
}

// Writing is one call of imaging_write_planes.
typedef struct {
	const Plane *planes;
	int count;
	const JpegOutput *output;
	unsigned char **data;
	unsigned long *size;
} Writing;

static void set_parameters(j_compress_ptr e, const Plane *planes, int count, const JpegOutput *output) {
	e->image_width = output->width, e->image_height = output->height;
	e->input_components = count;
	e->in_color_space = count == 1 ? JCS_GRAYSCALE : JCS_YCbCr;
	jpeg_set_defaults(e);
	jpeg_set_quality(e, output->quality, TRUE);
	e->write_JFIF_header = FALSE;
	e->raw_data_in = TRUE;
	for (int i = 0; i < count; i++) {
		e->comp_info[i].h_samp_factor = planes[i].across;
		e->comp_info[i].v_samp_factor = planes[i].down;
	}
}

// copy_padded copies the rows of a plane from row y on. It repeats the last sample of a row up
// to width, and the last row.
static void copy_padded(const Plane *plane, int y, JSAMPARRAY rows, int count, int width) {
	for (int i = 0; i < count; i++) {
		const int from = y + i < plane->height ? y + i : plane->height - 1;
		memcpy(rows[i], plane->samples + (size_t)from * plane->width, plane->width);
		memset(rows[i] + plane->width, rows[i][plane->width - 1], width - plane->width);
	}
}

// write_rows writes every step-th row of MCUs.
static void write_rows(j_compress_ptr e, const Writing *w, int step) {
	jpeg_start_compress(e, TRUE);
	JSAMPARRAY rows[MAX_PLANES];
	for (int i = 0; i < w->count; i++)
		rows[i] = e->mem->alloc_sarray((j_common_ptr)e, JPOOL_IMAGE, e->comp_info[i].width_in_blocks * DCTSIZE,
			w->planes[i].down * DCTSIZE);
	for (int y = 0; e->next_scanline < e->image_height; y += DCTSIZE * step) {
		for (int i = 0; i < w->count; i++)
			copy_padded(&w->planes[i], y * w->planes[i].down, rows[i], w->planes[i].down * DCTSIZE,
				e->comp_info[i].width_in_blocks * DCTSIZE);
		jpeg_write_raw_data(e, rows, e->max_v_samp_factor * DCTSIZE);
	}
	jpeg_finish_compress(e);
}

// Codes are made for one in MAX_STEP rows of MCUs, but for at least MIN_ROWS.
enum { MAX_STEP = 8, MIN_ROWS = 4 };

static void write_all(j_compress_ptr e, void *writing) {
	const Writing *w = writing;
	int height = 0; // of a row of MCUs
	for (int i = 0; i < w->count; i++)
		height = w->planes[i].down * DCTSIZE > height ? w->planes[i].down * DCTSIZE : height;
	const int rows = (w->output->height + height - 1) / height;
	const int step = rows >= MAX_STEP * MIN_ROWS ? MAX_STEP : rows / MIN_ROWS;
	set_parameters(e, w->planes, w->count, w->output);
	e->optimize_coding = TRUE;
	if (w->output->progressive) {
		jpeg_simple_progression(e);
	} else if (step > 1) {
		e->image_height = (rows + step - 1) / step * height;
		write_rows(e, w, step);
		imaging_extend_codes(e);
		free(*w->data);
		*w->data = NULL, *w->size = 0;
		jpeg_mem_dest(e, w->data, w->size);
		e->image_height = w->output->height;
		e->optimize_coding = FALSE;
	}
	write_rows(e, w, 1);
}

int imaging_write_planes(const Plane *planes, int count, const JpegOutput *output, Stop stop,
	unsigned char **data, unsigned long *size) {
	Writing w = {planes, count, output, data, size};
	return imaging_write_jpeg(write_all, &w, stop, data, size);
}
