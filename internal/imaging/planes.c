#include "planes.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

// The rows of samples that the decoder writes are padded, so that vectors may read beyond
// their ends.
enum { ROW_ALIGNMENT = 64 };

// Reading is one call of imaging_read_planes.
typedef struct {
	const PlaneSource *source;
	PlaneSink sink;
	void *to;
} Reading;

static size_t padded(size_t n) { return (n + ROW_ALIGNMENT - 1) / ROW_ALIGNMENT * ROW_ALIGNMENT; }

// new_rows returns memory for the rows of a component in a row of MCUs.
static JSAMPARRAY new_rows(j_decompress_ptr d, const jpeg_component_info *c) {
	const int rows = c->v_samp_factor * c->DCT_scaled_size;
	const size_t stride = padded((size_t)c->width_in_blocks * c->DCT_scaled_size);
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

Damage imaging_resample_planes(const PlaneSource *source, const PlaneTarget *targets, Stop stop) {
	Resample8 *resamplers[MAX_PLANES];
	for (int i = 0; i < source->planes; i++) {
		const PlaneTarget *t = &targets[i];
		resamplers[i] = imaging_resample8_new(source->sizes[i].width, t->columns, t->rows, t->samples,
			t->columns->outputs);
		if (resamplers[i] == NULL) abort();
	}
	const Damage damage = imaging_read_planes(source, push_rows, resamplers, stop);
	for (int i = 0; i < source->planes; i++) imaging_resample8_free(resamplers[i]);
	return damage;
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
	jmp_buf failed;
} Encoder;

static void abort_encoding(j_common_ptr encoder) { longjmp(((Encoder *)encoder)->failed, 1); }

static void discard_message(j_common_ptr encoder) {}

static void set_parameters(j_compress_ptr e, const Plane *planes, int count, const JpegOutput *output) {
	e->image_width = output->width, e->image_height = output->height;
	e->input_components = count;
	e->in_color_space = count == 1 ? JCS_GRAYSCALE : JCS_YCbCr;
	jpeg_set_defaults(e);
	jpeg_set_quality(e, output->quality, TRUE);
	e->optimize_coding = output->optimize;
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

static int write_all(Encoder *c, const Plane *planes, int count, const JpegOutput *output, Stop stop) {
	j_compress_ptr e = &c->encoder;
	set_parameters(e, planes, count, output);
	jpeg_start_compress(e, TRUE);
	JSAMPARRAY rows[MAX_PLANES];
	for (int i = 0; i < count; i++)
		rows[i] = e->mem->alloc_sarray((j_common_ptr)e, JPOOL_IMAGE, e->comp_info[i].width_in_blocks * DCTSIZE,
			planes[i].down * DCTSIZE);
	for (int y = 0; e->next_scanline < e->image_height; y += DCTSIZE) {
		if (imaging_stopped(stop)) return -1;
		for (int i = 0; i < count; i++)
			copy_padded(&planes[i], y * planes[i].down, rows[i], planes[i].down * DCTSIZE,
				e->comp_info[i].width_in_blocks * DCTSIZE);
		jpeg_write_raw_data(e, rows, e->max_v_samp_factor * DCTSIZE);
	}
	jpeg_finish_compress(e);
	return 0;
}

int imaging_write_planes(const Plane *planes, int count, const JpegOutput *output, Stop stop,
	unsigned char **data, unsigned long *size) {
	Encoder c = {0};
	int failed = -1;
	*data = NULL, *size = 0;
	c.encoder.err = jpeg_std_error(&c.errors);
	c.errors.error_exit = abort_encoding;
	c.errors.output_message = discard_message;
	if (setjmp(c.failed) == 0) {
		jpeg_create_compress(&c.encoder);
		jpeg_mem_dest(&c.encoder, data, size);
		failed = write_all(&c, planes, count, output, stop);
	}
	if (failed && c.encoder.dest != NULL) {
		c.encoder.dest->term_destination(&c.encoder); // sets *data to the buffer in use
		free(*data);
		*data = NULL;
	}
	jpeg_destroy_compress(&c.encoder);
	return failed;
}
