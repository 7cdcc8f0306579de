#include "vips.h"

#include <vips/vips.h>

#include "colour.h"
#include "rows.h"
#include "source.h"

// warned is set when the JPEG loader of libvips logs warnings. It logs them in the thread
// that closes the image, which is the thread that decodes it.
static __thread int warned;

static void record_warning(const char *domain, GLogLevelFlags level, const char *message, void *unused) {
	if (g_str_has_prefix(message, "read gave ")) warned = 1;
}

const char *imaging_start(void) {
	if (VIPS_INIT("imageflow")) return vips_error_buffer();
	g_log_set_handler("VIPS", G_LOG_LEVEL_WARNING, record_warning, NULL);
	vips_block_untrusted_set(TRUE);
	vips_concurrency_set(1);
	vips_cache_set_max(0);
	return NULL;
}

int imaging_open_files(void) { return vips_tracked_get_files(); }

int imaging_finish(int failed) {
	if (failed) vips_error_clear();
	vips_thread_shutdown();
	return failed ? -1 : 0;
}

static int load(const EncodedImage *p, Source *from, VipsImage **out) {
	VipsSource *source = imaging_source_new(from, p);
	int failed = -1;
#define COMMON "access", VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_TRUNCATED, NULL
	switch (p->codec) {
	case JPEG: failed = vips_jpegload_source(source, out, "shrink", p->shrink, COMMON); break;
	case PNG: failed = vips_pngload_source(source, out, COMMON); break;
	case WEBP: failed = vips_webpload_source(source, out, COMMON); break;
	case TIFF: failed = vips_tiffload_source(source, out, COMMON); break;
	case GIF: failed = vips_gifload_source(source, out, COMMON); break;
	case AVIF:
	case HEIC: failed = vips_heifload_source(source, out, COMMON); break;
	default: break;
	}
	g_object_unref(source);
	return failed;
}

// Strip reads an image from top to bottom, up to 16 rows at once.
typedef struct {
	VipsRegion *region;
	Source *source;
} Strip;

static const uint8_t *strip_row(void *strip, int y) {
	const Strip *s = strip;
	const VipsImage *image = s->region->im;
	const VipsRect *valid = &s->region->valid;
	if (y < valid->top || y >= valid->top + valid->height) {
		VipsRect next = {0, y, image->Xsize, VIPS_MIN(16, image->Ysize - y)};
		if (imaging_stopped(s->source->image->stop)) return NULL;
		if (next.top + next.height == image->Ysize) imaging_source_end(s->source);
		if (vips_region_prepare(s->region, &next)) return NULL;
	}
	return VIPS_REGION_ADDR(s->region, 0, y);
}

// resample_into resamples an image of 8 bits and up to 4 channels into out.
static int resample_into(uint8_t *out, VipsImage *in, Source *source, Box box, const Weights *columns, const Weights *rows) {
	Strip from = {vips_region_new(in), source};
	const Boxes boxes = {
		strip_row, &from, in->Xsize, in->Ysize, in->Bands, vips_image_hasalpha(in), box.across, box.down,
	};
	const int failed = imaging_resample_boxes(boxes, columns, rows, source->image->stop, out);
	g_object_unref(from.region);
	return failed;
}

static void free_pixels(VipsImage *image, void *pixels) { g_free(pixels); }

// resample replaces the image by a resampled one and keeps its profile.
static int resample(VipsImage **image, Source *source, Box box, const Weights *columns, const Weights *rows) {
	VipsImage *in = *image, *made = NULL;
	const size_t size = (size_t)columns->outputs * rows->outputs * in->Bands;
	uint8_t *pixels = g_malloc0(size);
	if (resample_into(pixels, in, source, box, columns, rows) == 0)
		made = vips_image_new_from_memory(pixels, size, columns->outputs, rows->outputs, in->Bands, VIPS_FORMAT_UCHAR);
	if (made == NULL) {
		g_free(pixels);
		return -1;
	}
	g_signal_connect(made, "postclose", G_CALLBACK(free_pixels), pixels);
	made->Type = in->Type;
	const void *profile;
	size_t length;
	if (imaging_has_profile(in) && vips_image_get_blob(in, VIPS_META_ICC_NAME, &profile, &length) == 0)
		vips_image_set_blob_copy(made, VIPS_META_ICC_NAME, profile, length);
	return imaging_replace(image, made);
}

static int copy_rows(VipsImage *image, Source *source, uint8_t *out) {
	Strip s = {vips_region_new(image), source};
	const size_t length = VIPS_IMAGE_SIZEOF_LINE(image);
	int failed = 0;
	for (int y = 0; y < image->Ysize && !failed; y++) {
		const uint8_t *row = strip_row(&s, y);
		if (row == NULL) failed = -1;
		else memcpy(out + y * length, row, length);
	}
	g_object_unref(s.region);
	return failed;
}

// place_on_canvas puts the frame of a GIF on its canvas, which is transparent around the
// frame. libvips does this only for some canvas sizes, and may omit alpha.
static int place_on_canvas(VipsImage **image, const EncodedImage *p) {
	const Frame f = p->frame;
	VipsImage *made;
	if (vips_extract_area(*image, &made, f.left, f.top, f.width, f.height, NULL)) return -1;
	imaging_replace(image, made);
	if (!vips_image_hasalpha(*image))
		if (vips_addalpha(*image, &made, NULL) || imaging_replace(image, made)) return -1;
	return vips_embed(*image, &made, f.left, f.top, p->width, p->height, NULL) || imaging_replace(image, made);
}

static int decode(const EncodedImage *p, VipsImage **image, Source *source, Box box, const Weights *columns,
	const Weights *rows, int channels, uint8_t *out) {
	if (p->frame.width > 0 && place_on_canvas(image, p)) return -1;
	if ((*image)->Xsize != p->width || (*image)->Ysize != p->height) return -1;
	if ((p->extra > 1 || p->extra != p->alpha) && imaging_drop_extra(image, p->extra, p->alpha)) return -1;
	if (p->multiplied && imaging_unmultiply(image)) return -1;
	if (imaging_to_16_bits(image)) return -1;
	if (p->is_ycc && imaging_from_ycc(image, p->ycc)) return -1;
	if (columns == NULL) return imaging_to_srgb(image, p->use_profile, channels) || copy_rows(*image, source, out);
	int use_profile = p->use_profile;
	if ((*image)->BandFmt != VIPS_FORMAT_UCHAR || (*image)->Coding != VIPS_CODING_NONE || (*image)->Bands > 4) {
		if (imaging_to_srgb(image, use_profile, channels)) return -1;
		use_profile = 0;
	}
	if (imaging_is_srgb(*image, use_profile, channels)) return resample_into(out, *image, source, box, columns, rows);
	// Resampling first leaves fewer pixels to convert.
	return resample(image, source, box, columns, rows) || imaging_to_srgb(image, use_profile, channels) ||
		copy_rows(*image, source, out);
}

int imaging_decode(EncodedImage *p, Box box, const Weights *columns, const Weights *rows,
	int channels, uint8_t *out) {
	VipsImage *image;
	Source source;
	warned = 0;
	if (load(p, &source, &image)) return imaging_finish(-1);
	const int failed = decode(p, &image, &source, box, columns, rows, channels, out);
	g_object_unref(image);
	p->warned = warned;
	return imaging_finish(failed);
}

// use_optimized_codes reports whether a JPEG gets Huffman codes made for its coefficients.
// They save about 5 % of the file, but the encoder has to buffer all coefficients.
static int use_optimized_codes(const VipsImage *image) {
	return (int64_t)image->Xsize * image->Ysize <= MAX_OPTIMIZED_PIXELS;
}

static int save(VipsImage *image, const EncoderOptions *o, void **data, size_t *size) {
	const int optimize = use_optimized_codes(image);
	const VipsForeignSubsample mode = o->subsample ? VIPS_FOREIGN_SUBSAMPLE_ON : VIPS_FOREIGN_SUBSAMPLE_OFF;
#define WITHOUT_METADATA "strip", TRUE, NULL
	switch (o->codec) {
	case JPEG: return vips_jpegsave_buffer(image, data, size, "Q", o->quality, "optimize_coding", optimize,
		"interlace", o->progressive, "subsample_mode", mode, WITHOUT_METADATA);
	case PNG: return vips_pngsave_buffer(image, data, size, "compression", o->compression,
		"filter", VIPS_FOREIGN_PNG_FILTER_ALL, WITHOUT_METADATA);
	case WEBP: return vips_webpsave_buffer(image, data, size, "Q", o->quality, WITHOUT_METADATA);
	case TIFF: return vips_tiffsave_buffer(image, data, size, WITHOUT_METADATA);
	case AVIF: return vips_heifsave_buffer(image, data, size, "Q", o->quality, "compression",
		VIPS_FOREIGN_HEIF_COMPRESSION_AV1, "effort", o->effort, "subsample_mode", mode, WITHOUT_METADATA);
	default: return -1;
	}
}

// kill_if_stopped ends the work on an image after its call was stopped.
static void kill_if_stopped(VipsImage *image, VipsProgress *progress, void *stop) {
	if (imaging_stopped(stop)) vips_image_set_kill(image, TRUE);
}

int imaging_encode(const uint8_t *pixels, int width, int height, int channels,
	const EncoderOptions *options, Stop stop, void **data, size_t *size) {
	VipsImage *image = vips_image_new_from_memory(pixels, (size_t)width * height * channels,
		width, height, channels, VIPS_FORMAT_UCHAR);
	if (image == NULL) return imaging_finish(-1);
	image->Type = channels == 1 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB;
	vips_image_set_progress(image, TRUE);
	g_signal_connect(image, "eval", G_CALLBACK(kill_if_stopped), (void *)stop);
	const int failed = save(image, options, data, size);
	g_object_unref(image);
	return imaging_finish(failed);
}

int imaging_smartcrop(const uint8_t *pixels, int width, int height, Interest interest, int crop_width, int crop_height,
	int *left, int *top) {
	VipsImage *cropped, *image = vips_image_new_from_memory(pixels, (size_t)width * height * 3, width, height, 3,
		VIPS_FORMAT_UCHAR);
	if (image == NULL) return imaging_finish(-1);
	image->Type = VIPS_INTERPRETATION_sRGB;
	const int failed = vips_smartcrop(image, &cropped, crop_width, crop_height, "interesting",
		interest == ATTENTION ? VIPS_INTERESTING_ATTENTION : VIPS_INTERESTING_ENTROPY, NULL);
	if (!failed) {
		*left = -cropped->Xoffset, *top = -cropped->Yoffset;
		g_object_unref(cropped);
	}
	g_object_unref(image);
	return imaging_finish(failed);
}
