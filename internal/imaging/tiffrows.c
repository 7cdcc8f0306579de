#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TIFF CODEC_TIFF // libtiff has a type of this name
#include "rows.h"
#include "source.h"
#include "tiffrows.h"
#undef TIFF
#include <tiffio.h>

// TiffRows reads an image from top to bottom. Strips are tiles of the width of the image.
typedef struct {
	TIFF *tiff;
	Source source;
	const EncodedImage *image;
	const TiffLayout *layout;
	int across, wide, high;     // tiles in a row, and their size in pixels
	int per_plane;              // samples of a pixel in a plane
	size_t row_size, tile_size; // of a tile in bytes
	int top;                    // the first row of the tiles in data, or -1
	uint8_t *data;              // a row of tiles of each plane
	uint8_t *samples;           // a row of a tile with 8 bits per sample
	uint8_t *pixels;            // a row of pixels
} TiffRows;

static tmsize_t read_source(thandle_t source, void *to, tmsize_t size) { return imaging_source_read(source, to, size); }

static tmsize_t write_nothing(thandle_t source, void *from, tmsize_t size) { return -1; }

static toff_t seek_source(thandle_t source, toff_t offset, int whence) {
	return imaging_source_seek(source, offset, whence);
}

static int close_nothing(thandle_t source) { return 0; }

static toff_t size_of_source(thandle_t source) { return ((Source *)source)->size; }

static int channels_of(const TiffRows *r) { return r->layout->alpha > 0 ? 4 : 3; }

// from_half converts a float of 16 bits (IEEE 754 binary16).
static float from_half(uint16_t half) {
	const int exponent = half >> 10 & 31, mantissa = half & 1023;
	const float v = exponent == 31 ? (mantissa ? NAN : INFINITY) :
		exponent == 0 ? ldexpf(mantissa, -24) : ldexpf(1024 + mantissa, exponent - 25);
	return half & 0x8000 ? -v : v;
}

// float_to_byte maps 0 to 1 linearly and clips. NaN becomes 0.
static uint8_t float_to_byte(double v) { return v > 0 ? (v < 1 ? (uint8_t)(v * 255 + 0.5) : 255) : 0; }

static void floats_to_bytes(const void *from, int bits, int n, uint8_t *to) {
	if (bits == 16) for (int i = 0; i < n; i++) to[i] = float_to_byte(from_half(((const uint16_t *)from)[i]));
	if (bits == 32) for (int i = 0; i < n; i++) to[i] = float_to_byte(((const float *)from)[i]);
	if (bits == 64) for (int i = 0; i < n; i++) to[i] = float_to_byte(((const double *)from)[i]);
}

// packed_to_bytes converts samples of less than 16 bits, the highest bit first.
static void packed_to_bytes(const uint8_t *from, int bits, int n, uint8_t *to) {
	const uint32_t last = (1u << bits) - 1;
	for (int i = 0; i < n; i++) {
		uint32_t v = 0;
		for (int at = i * bits, left = bits; left > 0;) {
			const int free = 8 - (at & 7), take = left < free ? left : free;
			v = v << take | (from[at >> 3] >> (free - take) & ((1u << take) - 1));
			at += take, left -= take;
		}
		to[i] = (v * 255 + last / 2) / last;
	}
}

// to_bytes converts n samples to 8 bits.
static void to_bytes(const TiffLayout *l, const void *from, int n, uint8_t *to) {
	if (l->is_float) floats_to_bytes(from, l->bits, n, to);
	else if (l->bits == 8) memcpy(to, from, n);
	else if (l->bits == 16) for (int i = 0; i < n; i++) to[i] = (((const uint16_t *)from)[i] + 128) / 257;
	else if (l->bits == 32) for (int i = 0; i < n; i++) to[i] = (((const uint32_t *)from)[i] + (1ull << 23)) / 16843009;
	else packed_to_bytes(from, l->bits, n, to);
	if (l->white_is_zero) for (int i = 0; i < n; i++) to[i] = 255 - to[i];
}

// place puts the values of one sample of n pixels into their channels.
static void place(const TiffRows *r, int sample, const uint8_t *from, int step, int n, uint8_t *to) {
	const TiffLayout *l = r->layout;
	const int channels = channels_of(r), alpha = sample >= l->colours;
	if (alpha && sample != l->colours + l->alpha - 1) return;
	for (int i = 0; i < n; i++, from += step, to += channels) {
		if (alpha) to[3] = l->white_is_zero ? 255 - *from : *from;
		else if (l->colours == 1) to[0] = to[1] = to[2] = *from;
		else to[sample] = *from;
	}
}

// divide undoes the multiplication of colours by alpha.
static void divide(uint8_t *pixels, int n) {
	for (uint8_t *p = pixels; p < pixels + 4 * (size_t)n; p += 4)
		for (int c = 0; c < 3; c++) p[c] = p[3] == 0 ? 0 : VIPS_MIN(255, (p[c] * 255 + p[3] / 2) / p[3]);
}

// read_tiles reads the tiles that begin at row top, of all planes.
static int read_tiles(TiffRows *r, int top) {
	uint8_t *to = r->data;
	for (int plane = 0; plane < r->layout->planes; plane++)
		for (int i = 0; i < r->across; i++, to += r->tile_size) {
			if (imaging_stopped(r->image->stop)) return -1;
			if (r->layout->wide > 0) {
				const uint32_t tile = TIFFComputeTile(r->tiff, i * r->wide, top, 0, plane);
				if (TIFFReadEncodedTile(r->tiff, tile, to, r->tile_size) != (tmsize_t)r->tile_size) return -1;
				continue;
			}
			const int left = r->image->height - top;
			const tmsize_t size = r->row_size * VIPS_MIN(r->high, left);
			if (TIFFReadEncodedStrip(r->tiff, TIFFComputeStrip(r->tiff, top, plane), to, size) != size) return -1;
		}
	r->top = top;
	return 0;
}

// next_row is for all layouts except YCbCr.
static const uint8_t *next_row(void *from, int y) {
	TiffRows *r = from;
	const TiffLayout *l = r->layout;
	if (imaging_stopped(r->image->stop)) return NULL;
	if ((r->top < 0 || y >= r->top + r->high) && read_tiles(r, y / r->high * r->high)) return NULL;
	const uint8_t *row = r->data + r->row_size * (y - r->top);
	for (int plane = 0; plane < l->planes; plane++)
		for (int i = 0; i < r->across; i++, row += r->tile_size) {
			const int n = VIPS_MIN(r->wide, r->image->width - i * r->wide);
			to_bytes(l, row, n * r->per_plane, r->samples);
			for (int s = 0; s < r->per_plane; s++)
				place(r, plane + s, r->samples + s, r->per_plane, n, r->pixels + (size_t)i * r->wide * channels_of(r));
		}
	if (l->is_associated) divide(r->pixels, r->image->width);
	return r->pixels;
}

// next_ycc_row lets libtiff convert a strip to pixels of 32 bits, the last row first.
static const uint8_t *next_ycc_row(void *from, int y) {
	TiffRows *r = from;
	const int width = r->image->width;
	if (imaging_stopped(r->image->stop)) return NULL;
	if (r->top < 0 || y >= r->top + r->high) {
		r->top = y / r->high * r->high;
		if (!TIFFReadRGBAStripExt(r->tiff, r->top, (uint32_t *)r->data, 1)) return NULL;
	}
	const int rows = VIPS_MIN(r->high, r->image->height - r->top);
	const uint32_t *row = (const uint32_t *)r->data + (size_t)width * (rows - 1 - (y - r->top));
	for (int x = 0; x < width; x++) {
		r->pixels[3 * x] = TIFFGetR(row[x]);
		r->pixels[3 * x + 1] = TIFFGetG(row[x]);
		r->pixels[3 * x + 2] = TIFFGetB(row[x]);
	}
	return r->pixels;
}

// open_tiff opens the file and checks that libtiff sees the sizes that the header parser saw.
static int open_tiff(TiffRows *r) {
	const TiffLayout *l = r->layout;
	uint32_t width = 0, height = 0;
	r->tiff = TIFFClientOpen("", "rmc", &r->source, read_source, write_nothing, seek_source, close_nothing,
		size_of_source, NULL, NULL);
	if (r->tiff == NULL || !TIFFGetField(r->tiff, TIFFTAG_IMAGEWIDTH, &width) ||
		!TIFFGetField(r->tiff, TIFFTAG_IMAGELENGTH, &height)) return -1;
	if ((int)width != r->image->width || (int)height != r->image->height) return -1;
	if (!TIFFIsTiled(r->tiff) != (l->wide == 0)) return -1;
	if (l->is_ycc) return 0;
	const size_t row = l->wide > 0 ? TIFFTileRowSize(r->tiff) : TIFFScanlineSize(r->tiff);
	const size_t tile = l->wide > 0 ? TIFFTileSize(r->tiff) : r->tile_size;
	return row == r->row_size && tile == r->tile_size ? 0 : -1;
}

// prepare computes the sizes and allocates the rows.
static int prepare(TiffRows *r) {
	const TiffLayout *l = r->layout;
	r->wide = l->wide > 0 ? l->wide : r->image->width;
	r->high = l->wide > 0 ? l->high : VIPS_MIN(l->strip, r->image->height);
	r->across = (r->image->width + r->wide - 1) / r->wide;
	r->per_plane = l->samples / l->planes;
	r->row_size = l->is_ycc ? 4 * (size_t)r->wide : ((size_t)r->wide * r->per_plane * l->bits + 7) / 8;
	r->tile_size = r->row_size * r->high;
	r->data = malloc(r->tile_size * r->across * l->planes);
	r->samples = malloc((size_t)r->wide * r->per_plane);
	r->pixels = calloc(r->image->width, channels_of(r));
	return r->data && r->samples && r->pixels ? 0 : -1;
}

static int copy_rows(TiffRows *r, uint8_t *out) {
	const size_t length = (size_t)r->image->width * channels_of(r);
	for (int y = 0; y < r->image->height; y++, out += length) {
		const uint8_t *pixels = r->layout->is_ycc ? next_ycc_row(r, y) : next_row(r, y);
		if (pixels == NULL) return -1;
		memcpy(out, pixels, length);
	}
	return 0;
}

static int decode(TiffRows *r, Box box, const Weights *columns, const Weights *rows, uint8_t *out) {
	if (prepare(r) || open_tiff(r)) return -1;
	if (columns == NULL) return copy_rows(r, out);
	const int channels = channels_of(r), alpha = channels == 4;
	const Boxes boxes = {r->layout->is_ycc ? next_ycc_row : next_row, r, r->image->width, r->image->height,
		channels, alpha, box.across, box.down};
	return imaging_resample_boxes(boxes, columns, rows, r->image->stop, out);
}

int imaging_decode_tiff(const EncodedImage *image, const TiffLayout *layout, Box box,
	const Weights *columns, const Weights *rows, uint8_t *out) {
	TiffRows r = {.image = image, .layout = layout, .top = -1};
	imaging_source_begin(&r.source, image);
	const int failed = decode(&r, box, columns, rows, out);
	if (r.tiff) TIFFClose(r.tiff);
	free(r.data);
	free(r.samples);
	free(r.pixels);
	vips_error_clear(); // libvips collects the messages of libtiff
	return imaging_finish(failed);
}
