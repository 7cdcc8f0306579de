#include "transform.h"

#include <vips/vips.h>

#include "colour.h"
#include "vips.h"

// The drawn image is computed in tiles, so that each needs little of the original.
enum { TILE = 128 };

// transform replaces an image with alpha by the drawn one.
static int transform(VipsImage **image, const double map[6], int width, int height) {
	VipsImage *made;
	if (vips_premultiply(*image, &made, NULL)) return -1;
	imaging_replace(image, made);
	VipsInterpolate *bicubic = vips_interpolate_new("bicubic");
	VipsArrayInt *area = vips_array_int_newv(4, 0, 0, width, height);
	// libvips maps the centres of pixels, which are at whole numbers there.
	const double dx = map[2] + (map[0] + map[1]) / 2 - 0.5, dy = map[5] + (map[3] + map[4]) / 2 - 0.5;
	const int failed = vips_affine(*image, &made, map[0], map[1], map[3], map[4], "interpolate", bicubic,
		"oarea", area, "odx", dx, "ody", dy, "premultiplied", TRUE, NULL);
	g_object_unref(bicubic);
	vips_area_unref(VIPS_AREA(area));
	if (failed || imaging_replace(image, made)) return -1;
	if (vips_unpremultiply(*image, &made, NULL) || imaging_replace(image, made)) return -1;
	// A cast cuts off the fraction.
	if (vips_linear1(*image, &made, 1, 0.5, NULL) || imaging_replace(image, made)) return -1;
	return vips_cast(*image, &made, VIPS_FORMAT_UCHAR, NULL) || imaging_replace(image, made);
}

static int copy_tile(VipsRegion *region, VipsRect tile, uint8_t *out) {
	const size_t pixel = VIPS_IMAGE_SIZEOF_PEL(region->im);
	if (vips_region_prepare(region, &tile)) return -1;
	for (int y = tile.top; y < tile.top + tile.height; y++)
		memcpy(out + ((size_t)y * region->im->Xsize + tile.left) * pixel, VIPS_REGION_ADDR(region, tile.left, y),
			tile.width * pixel);
	return 0;
}

static int copy_tiles(VipsImage *image, Stop stop, uint8_t *out) {
	VipsRegion *region = vips_region_new(image);
	int failed = 0;
	for (int top = 0; top < image->Ysize && !failed; top += TILE)
		for (int left = 0; left < image->Xsize && !failed; left += TILE) {
			const VipsRect tile = {
				left, top, VIPS_MIN(TILE, image->Xsize - left), VIPS_MIN(TILE, image->Ysize - top),
			};
			failed = imaging_stopped(stop) || copy_tile(region, tile, out) ? -1 : 0;
		}
	g_object_unref(region);
	return failed;
}

int imaging_transform(const uint8_t *pixels, int width, int height, int channels, const double map[6],
	uint8_t *out, int out_width, int out_height, Stop stop) {
	VipsImage *made, *image = vips_image_new_from_memory(pixels, (size_t)width * height * channels, width, height, channels,
		VIPS_FORMAT_UCHAR);
	if (image == NULL) return imaging_finish(-1);
	image->Type = VIPS_INTERPRETATION_sRGB;
	int failed = channels == 3 && (vips_addalpha(image, &made, NULL) || imaging_replace(&image, made)) ? -1 : 0;
	failed = failed || transform(&image, map, out_width, out_height) || copy_tiles(image, stop, out) ? -1 : 0;
	g_object_unref(image);
	return imaging_finish(failed);
}
