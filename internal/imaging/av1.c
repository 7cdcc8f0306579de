#include "av1.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <dav1d/dav1d.h>

#include "rows.h"
#include "simd.h"

enum { CHANNELS = 3 };

// Planes are the samples of an image, of 1 or 2 bytes each, and the memory that holds them.
typedef struct {
	const uint8_t *data[CHANNELS];
	ptrdiff_t stride[CHANNELS]; // in bytes
	Dav1dPicture picture;
	uint8_t *canvas;
} Planes;

// Shift of the size of the colours relative to that of the image, by chroma.
static const int across[] = {0, 1, 1, 0}, down[] = {0, 1, 0, 0};

static int planes_of(const Av1Frames *p) { return p->chroma == 0 ? 1 : CHANNELS; }

static int shifted(int size, int shift) { return (size + shift) >> shift; }

static void keep_data(const uint8_t *data, void *unused) {}

static int is_described(const Dav1dPicture *f, const Av1Frames *p) {
	static const enum Dav1dPixelLayout layouts[] = {
		DAV1D_PIXEL_LAYOUT_I400, DAV1D_PIXEL_LAYOUT_I420, DAV1D_PIXEL_LAYOUT_I422, DAV1D_PIXEL_LAYOUT_I444,
	};
	return f->p.w == p->frame_width && f->p.h == p->frame_height && f->p.bpc == p->depth && f->p.layout == layouts[p->chroma];
}

// decode_frame decodes a frame in this thread.
static int decode_frame(const Av1Frames *p, const Part *part, Dav1dPicture *out) {
	Dav1dSettings settings;
	Dav1dContext *decoder;
	Dav1dData data = {0};
	if ((uint64_t)p->frame_width * p->frame_height > UINT_MAX) return -1;
	dav1d_default_settings(&settings);
	settings.n_threads = settings.max_frame_delay = 1;
	settings.all_layers = 0;
	settings.frame_size_limit = (unsigned)p->frame_width * p->frame_height;
	settings.logger.callback = NULL;
	if (dav1d_open(&decoder, &settings)) return -1;
	int result = dav1d_data_wrap(&data, part->data, part->size, keep_data, NULL);
	while (result == 0 && data.sz > 0) {
		result = dav1d_send_data(decoder, &data);
		if (result != 0 && result != DAV1D_ERR(EAGAIN)) break;
		result = dav1d_get_picture(decoder, out);
		if (result == 0) break;
		if (result == DAV1D_ERR(EAGAIN)) result = 0;
	}
	if (result == 0 && out->data[0] == NULL) result = dav1d_get_picture(decoder, out);
	dav1d_data_unref(&data);
	dav1d_close(&decoder);
	if (result == 0 && is_described(out, p)) return 0;
	if (result == 0) dav1d_picture_unref(out);
	return -1;
}

// allocate_canvas allocates planes that have room for all frames of a grid.
static int allocate_canvas(const Av1Frames *p, Planes *planes) {
	const int bytes = p->depth > 8 ? 2 : 1, rows = p->count / p->columns;
	size_t sizes[CHANNELS] = {0}, total = 0;
	for (int i = 0; i < planes_of(p); i++) {
		const int x = i == 0 ? 0 : across[p->chroma], y = i == 0 ? 0 : down[p->chroma];
		planes->stride[i] = (ptrdiff_t)p->columns * shifted(p->frame_width, x) * bytes;
		sizes[i] = planes->stride[i] * rows * shifted(p->frame_height, y);
		total += sizes[i];
	}
	planes->canvas = malloc(total);
	if (planes->canvas == NULL) return -1;
	const uint8_t *at = planes->canvas;
	for (int i = 0; i < planes_of(p); i++) planes->data[i] = at, at += sizes[i];
	return 0;
}

// paste copies frame n of a grid to the canvas.
static void paste(const Av1Frames *p, int n, const Dav1dPicture *frame, Planes *planes) {
	const int bytes = p->depth > 8 ? 2 : 1;
	for (int i = 0; i < planes_of(p); i++) {
		const int w = shifted(p->frame_width, i == 0 ? 0 : across[p->chroma]) * bytes;
		const int h = shifted(p->frame_height, i == 0 ? 0 : down[p->chroma]);
		const ptrdiff_t top = (ptrdiff_t)(n / p->columns) * h, left = (ptrdiff_t)(n % p->columns) * w;
		uint8_t *to = planes->canvas + (planes->data[i] - planes->canvas) + top * planes->stride[i] + left;
		const uint8_t *from = frame->data[i];
		for (int y = 0; y < h; y++, to += planes->stride[i], from += frame->stride[i > 0]) memcpy(to, from, w);
	}
}

static int decode_picture(const Av1Frames *p, Stop stop, Planes *planes) {
	if (imaging_stopped(stop)) return -1;
	if (p->count == 1) {
		if (decode_frame(p, p->frames, &planes->picture)) return -1;
		for (int i = 0; i < planes_of(p); i++)
			planes->data[i] = planes->picture.data[i], planes->stride[i] = planes->picture.stride[i > 0];
		return 0;
	}
	if (allocate_canvas(p, planes)) return -1;
	for (int n = 0; n < p->count; n++) {
		Dav1dPicture frame = {0};
		if (imaging_stopped(stop) || decode_frame(p, &p->frames[n], &frame)) return -1;
		paste(p, n, &frame, planes);
		dav1d_picture_unref(&frame);
	}
	return 0;
}

static void release(Planes *planes) {
	if (planes->picture.data[0] != NULL) dav1d_picture_unref(&planes->picture);
	free(planes->canvas);
}

// Rows converts the rows of an image. floats has room for all planes of a row, and for alpha.
typedef struct {
	const Av1Image *image;
	Planes colours, alpha;
	float *floats;
	uint8_t *row;
	Stop stop;
} Rows;

FOR_EACH_CPU
static void widen(const uint8_t *from, int depth, int n, float *to) {
	if (depth > 8)
		for (int i = 0; i < n; i++) to[i] = ((const uint16_t *)from)[i];
	else
		for (int i = 0; i < n; i++) to[i] = from[i];
}

// blend adds a quarter of the difference to a farther row.
FOR_EACH_CPU
static void blend(float *near, const float *far, int n) {
	for (int i = 0; i < n; i++) near[i] += (far[i] - near[i]) * 0.25f;
}

// spread enlarges a row of n colours to twice as many. A colour is at the centre of two pixels. to
// has room for 2 n + 2.
FOR_EACH_CPU
static void spread(const float *from, int n, float *to) {
	to[0] = from[0];
	for (int i = 0; i + 1 < n; i++) {
		to[2 * i + 1] = 0.75f * from[i] + 0.25f * from[i + 1];
		to[2 * i + 2] = 0.25f * from[i] + 0.75f * from[i + 1];
	}
	to[2 * n - 1] = from[n - 1];
}

// read_colours reads row y of a plane of colours at the resolution of the image. It interpolates
// linearly. near and far are for intermediate rows.
static void read_colours(const Rows *r, int plane, int y, float *near, float *far, float *to) {
	const Av1Frames *p = &r->image->colours;
	const int n = shifted(p->width, across[p->chroma]), last = shifted(p->height, down[p->chroma]) - 1;
	const uint8_t *data = r->colours.data[plane];
	const ptrdiff_t stride = r->colours.stride[plane];
	const int at = y >> down[p->chroma];
	float *single = across[p->chroma] ? near : to;
	widen(data + at * stride, p->depth, n, single);
	if (down[p->chroma]) {
		const int other = y & 1 ? at + 1 : at - 1;
		widen(data + (other < 0 ? 0 : other > last ? last : other) * stride, p->depth, n, far);
		blend(single, far, n);
	}
	if (across[p->chroma]) spread(near, n, to);
}

// to_rgb multiplies the planes of a row by the matrix.
FOR_EACH_CPU
static void to_rgb(const float *y, const float *u, const float *v, const float *m, int n, int bands, uint8_t *out) {
	for (int i = 0; i < n; i++)
		for (int c = 0; c < CHANNELS; c++)
			out[i * bands + c] = imaging_to_byte(m[4 * c] * y[i] + m[4 * c + 1] * u[i] + m[4 * c + 2] * v[i] + m[4 * c + 3]);
}

// add_alpha sets the alpha of RGBA, and divides the colours by it on request.
static void add_alpha(const float *alpha, float scale, float offset, int multiplied, int n, uint8_t *out) {
	for (int i = 0; i < n; i++, out += 4) {
		const float a = alpha[i] * scale + offset;
		out[3] = imaging_to_byte(a);
		if (multiplied && out[3] > 0)
			for (int c = 0; c < CHANNELS; c++) out[c] = imaging_to_byte(out[c] * 255 / a);
	}
}

// next_row returns row y of the part that is shown.
static const uint8_t *next_row(void *from, int y) {
	const Rows *r = from;
	const Av1Image *m = r->image;
	const Av1Frames *p = &m->colours;
	const int room = p->width + 2, bands = m->alpha.count > 0 ? 4 : CHANNELS, top = m->shown.top + y, left = m->shown.left;
	float *luma = r->floats, *u = luma + room, *v = u + room, *near = v + room, *far = near + room;
	if (imaging_stopped(r->stop)) return NULL;
	widen(r->colours.data[0] + top * r->colours.stride[0], p->depth, p->width, luma);
	if (p->chroma > 0) {
		read_colours(r, 1, top, near, far, u);
		read_colours(r, 2, top, near, far, v);
	}
	to_rgb(luma + left, u + left, v + left, m->rgb, m->shown.width, bands, r->row);
	if (bands == 4) {
		widen(r->alpha.data[0] + top * r->alpha.stride[0], m->alpha.depth, p->width, luma);
		add_alpha(luma + left, m->scale, m->offset, m->multiplied, m->shown.width, r->row);
	}
	return r->row;
}

static int convert(Rows *r, Box box, const Weights *columns, const Weights *rows, uint8_t *out) {
	const Frame shown = r->image->shown;
	const int alpha = r->image->alpha.count > 0, bands = CHANNELS + alpha;
	const size_t length = (size_t)shown.width * bands;
	r->floats = calloc(5 * ((size_t)r->image->colours.width + 2), sizeof(float));
	r->row = malloc(length);
	if (r->floats == NULL || r->row == NULL) return -1;
	if (columns != NULL) {
		const Boxes boxes = {
			.next = next_row, .from = r, .width = shown.width, .height = shown.height, .bands = bands, .alpha = alpha,
			.across = box.across, .down = box.down,
		};
		return imaging_resample_boxes(boxes, columns, rows, r->stop, out);
	}
	for (int y = 0; y < shown.height; y++) {
		if (next_row(r, y) == NULL) return -1;
		memcpy(out + y * length, r->row, length);
	}
	return 0;
}

int imaging_decode_av1(const Av1Image *image, Box box, const Weights *columns, const Weights *rows, Stop stop,
	uint8_t *out) {
	Rows r = {.image = image, .stop = stop};
	int failed = decode_picture(&image->colours, stop, &r.colours);
	if (!failed && image->alpha.count > 0) failed = decode_picture(&image->alpha, stop, &r.alpha);
	failed = failed || convert(&r, box, columns, rows, out);
	release(&r.colours);
	release(&r.alpha);
	free(r.floats);
	free(r.row);
	return failed ? -1 : 0;
}
