#include "colour.h"

#include <lcms2.h>

#include "vips.h"

int imaging_replace(VipsImage **image, VipsImage *made) {
	g_object_unref(*image);
	*image = made;
	return 0;
}

int imaging_has_profile(VipsImage *image) {
	return vips_image_get_typeof(image, VIPS_META_ICC_NAME) != 0;
}

int imaging_drop_extra(VipsImage **image, int extra, int alpha) {
	VipsImage *colours, *transparency, *made;
	const int n = (*image)->Bands - extra;
	if (n < 1) return -1;
	if (vips_extract_band(*image, &colours, 0, "n", n, NULL)) return -1;
	if (alpha == 0) return imaging_replace(image, colours);
	int failed = vips_extract_band(*image, &transparency, n + alpha - 1, NULL);
	if (!failed) {
		failed = vips_bandjoin2(colours, transparency, &made, NULL) || imaging_replace(image, made);
		g_object_unref(transparency);
	}
	g_object_unref(colours);
	return failed;
}

int imaging_unmultiply(VipsImage **image) {
	VipsImage *made;
	const VipsBandFormat format = (*image)->BandFmt;
	const double max = format == VIPS_FORMAT_UCHAR ? 255 : 65535;
	if (vips_unpremultiply(*image, &made, "max_alpha", max, NULL) || imaging_replace(image, made)) return -1;
	if (vips_rint(*image, &made, NULL) || imaging_replace(image, made)) return -1;
	return vips_cast(*image, &made, format, NULL) || imaging_replace(image, made);
}

int imaging_from_ycc(VipsImage **image, const double matrix[12]) {
	VipsImage *made;
	const int n = (*image)->Bands; // 3, or 4 with alpha
	double colours[16] = {0}, ones[4] = {1, 1, 1, 1}, offsets[4] = {0.5, 0.5, 0.5, 0.5};
	if (n != 3 && n != 4) return -1;
	for (int i = 0; i < 3; i++) {
		memcpy(colours + n * i, matrix + 4 * i, 3 * sizeof(double));
		offsets[i] += matrix[4 * i + 3];
	}
	if (n == 4) colours[15] = 1;
	VipsImage *recombination = vips_image_new_matrix_from_array(n, n, colours, n * n);
	int failed = vips_recomb(*image, &made, recombination, NULL) || imaging_replace(image, made);
	g_object_unref(recombination);
	if (failed || vips_linear(*image, &made, ones, offsets, n, "uchar", TRUE, NULL)) return -1;
	made->Type = VIPS_INTERPRETATION_sRGB;
	return imaging_replace(image, made);
}

// from_signed makes the lowest value of signed bytes 0.
static int from_signed(VipsImage **image) {
	VipsImage *made;
	const VipsInterpretation type = (*image)->Type;
	if (vips_linear1(*image, &made, 1, 128, "uchar", TRUE, NULL)) return -1;
	made->Type = type;
	return imaging_replace(image, made);
}

int imaging_to_16_bits(VipsImage **image) {
	VipsImage *made;
	double scale = 65535, lowest = 0; // of floats: 1 is white
	const VipsInterpretation type = (*image)->Type;
	if (type == VIPS_INTERPRETATION_LAB || type == VIPS_INTERPRETATION_LABS) return 0;
	switch ((*image)->BandFmt) {
	case VIPS_FORMAT_CHAR: return from_signed(image);
	case VIPS_FORMAT_SHORT: scale = 1, lowest = 32768; break;
	case VIPS_FORMAT_INT: scale = 1 / 65537.0, lowest = 2147483648 / 65537.0; break;
	case VIPS_FORMAT_UINT: scale = 1 / 65537.0; break; // 2^32 − 1 to 2^16 − 1
	case VIPS_FORMAT_FLOAT:
	case VIPS_FORMAT_DOUBLE: break;
	default: return 0;
	}
	if (vips_linear1(*image, &made, scale, lowest + 0.5, NULL) || imaging_replace(image, made)) return -1;
	if (vips_cast_ushort(*image, &made, NULL)) return -1;
	made->Type = type == VIPS_INTERPRETATION_CMYK ? type :
		type == VIPS_INTERPRETATION_B_W || type == VIPS_INTERPRETATION_GREY16 ? VIPS_INTERPRETATION_GREY16 :
		VIPS_INTERPRETATION_RGB16;
	return imaging_replace(image, made);
}

int imaging_is_srgb(VipsImage *image, int use_profile, int channels) {
	return !(use_profile && imaging_has_profile(image)) && image->Type == VIPS_INTERPRETATION_sRGB &&
		image->BandFmt == VIPS_FORMAT_UCHAR && image->Bands == channels;
}

// space_of returns the colour space that a profile must have to fit the image, or 0 if no
// profile fits.
static int space_of(const VipsImage *image) {
	switch (image->Type) {
	case VIPS_INTERPRETATION_B_W:
	case VIPS_INTERPRETATION_GREY16: return cmsSigGrayData;
	case VIPS_INTERPRETATION_sRGB:
	case VIPS_INTERPRETATION_RGB16: return cmsSigRgbData;
	case VIPS_INTERPRETATION_CMYK: return cmsSigCmykData;
	default: return 0;
	}
}

// intent_of returns the rendering intent with which Little CMS can use the embedded profile,
// or -1. With an unusable profile, libvips would silently use a different one.
static int intent_of(VipsImage *image) {
	static const int preferred[] = {VIPS_INTENT_RELATIVE, VIPS_INTENT_PERCEPTUAL, VIPS_INTENT_SATURATION};
	const void *data;
	size_t size;
	if (!imaging_has_profile(image) || vips_image_get_blob(image, VIPS_META_ICC_NAME, &data, &size)) return -1;
	cmsHPROFILE profile = cmsOpenProfileFromMem(data, size);
	if (profile == NULL) return -1;
	int intent = -1;
	for (int i = 0; i < 3 && intent < 0 && (int)cmsGetColorSpace(profile) == space_of(image); i++)
		if (cmsIsIntentSupported(profile, preferred[i], LCMS_USED_AS_INPUT)) intent = preferred[i];
	cmsCloseProfile(profile);
	return intent;
}

// apply_profile converts the image with its embedded profile. If that is not possible, it
// returns -1 and does not change the image.
static int apply_profile(VipsImage **image) {
	VipsImage *made;
	const int intent = intent_of(*image), cmyk = (*image)->Type == VIPS_INTERPRETATION_CMYK;
	if (intent < 0) return -1;
	if (vips_icc_transform(*image, &made, "srgb", "embedded", TRUE, "intent", intent,
		"black_point_compensation", cmyk, NULL)) return -1;
	return imaging_replace(image, made);
}

static int cmyk_to_srgb(VipsImage **image) {
	VipsImage *made;
	return vips_icc_transform(*image, &made, "srgb", "input_profile", "cmyk",
		"black_point_compensation", TRUE, NULL) || imaging_replace(image, made);
}

// d50_to_d65 is the Bradford matrix that adapts XYZ colours from white point D50 to D65.
static const double d50_to_d65[9] = {
	0.9555766, -0.0230393, 0.0631636, -0.0282895, 1.0099416, 0.0210077, 0.0122982, -0.0204830, 1.3299098,
};

// lab_to_srgb assumes white point D50 for Lab. libvips assumes D65.
static int lab_to_srgb(VipsImage **image) {
	VipsImage *made;
	if (vips_colourspace(*image, &made, VIPS_INTERPRETATION_LAB, NULL) || imaging_replace(image, made)) return -1;
	VipsArrayDouble *white = vips_array_double_newv(3, VIPS_D50_X0, VIPS_D50_Y0, VIPS_D50_Z0);
	int failed = vips_Lab2XYZ(*image, &made, "temp", white, NULL) || imaging_replace(image, made);
	vips_area_unref(VIPS_AREA(white));
	VipsImage *adaptation = vips_image_new_matrix_from_array(3, 3, d50_to_d65, 9);
	failed = failed || vips_recomb(*image, &made, adaptation, NULL) || imaging_replace(image, made);
	g_object_unref(adaptation);
	return failed || vips_colourspace(*image, &made, VIPS_INTERPRETATION_sRGB, NULL) || imaging_replace(image, made);
}

// to_8_bits rounds channels of 16 bits to 8 bits.
static int to_8_bits(VipsImage **image) {
	VipsImage *made;
	const int grey = (*image)->Type == VIPS_INTERPRETATION_GREY16;
	if (vips_linear1(*image, &made, 1 / 257.0, 0.5, "uchar", TRUE, NULL)) return -1;
	made->Type = grey ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB;
	return imaging_replace(image, made);
}

static int without_profile(VipsImage **image) {
	VipsImage *made;
	switch ((*image)->Type) {
	case VIPS_INTERPRETATION_CMYK: return cmyk_to_srgb(image);
	case VIPS_INTERPRETATION_LAB:
	case VIPS_INTERPRETATION_LABS: return lab_to_srgb(image);
	case VIPS_INTERPRETATION_GREY16:
	case VIPS_INTERPRETATION_RGB16:
		if (to_8_bits(image)) return -1;
	default: break;
	}
	if ((*image)->Type == VIPS_INTERPRETATION_sRGB) return 0;
	return vips_colourspace(*image, &made, VIPS_INTERPRETATION_sRGB, NULL) || imaging_replace(image, made);
}

// colours_to_srgb converts an image without alpha to three channels of sRGB.
static int colours_to_srgb(VipsImage **image, int use_profile) {
	VipsImage *made;
	if (!(use_profile && apply_profile(image) == 0) && without_profile(image)) return -1;
	if ((*image)->BandFmt != VIPS_FORMAT_UCHAR)
		if (vips_cast_uchar(*image, &made, NULL) || imaging_replace(image, made)) return -1;
	return (*image)->Bands == 3 ? 0 : -1;
}

// split_alpha removes the alpha channel from the image and returns it with 8 bits.
static int split_alpha(VipsImage **image, VipsImage **alpha) {
	VipsImage *made;
	const int n = (*image)->Bands - 1;
	if (vips_extract_band(*image, alpha, n, NULL)) return -1;
	if ((*image)->Type == VIPS_INTERPRETATION_LABS) // its channels are signed
		if (vips_copy(*alpha, &made, "format", VIPS_FORMAT_USHORT, NULL) || imaging_replace(alpha, made)) return -1;
	if ((*alpha)->BandFmt != VIPS_FORMAT_UCHAR && to_8_bits(alpha)) return -1;
	return vips_extract_band(*image, &made, 0, "n", n, NULL) || imaging_replace(image, made);
}

// unpack decodes packed pixel formats, such as Lab of a TIFF with 8 bits.
static int unpack(VipsImage **image) {
	VipsImage *made;
	return vips_image_decode(*image, &made) || imaging_replace(image, made);
}

int imaging_to_srgb(VipsImage **image, int use_profile, int channels) {
	VipsImage *alpha = NULL, *made;
	int failed = unpack(image);
	if (vips_image_hasalpha(*image)) failed = failed || split_alpha(image, &alpha);
	failed = failed || colours_to_srgb(image, use_profile);
	if (!failed && channels == 4) {
		failed = alpha ? vips_bandjoin2(*image, alpha, &made, NULL) : vips_addalpha(*image, &made, NULL);
		failed = failed || imaging_replace(image, made);
	}
	g_clear_object(&alpha);
	return failed ? -1 : 0;
}

void *imaging_p3(size_t *size) {
	VipsBlob *blob;
	if (vips_profile_load("p3", &blob, NULL) || blob == NULL) return NULL;
	const void *data = vips_blob_get(blob, size);
	void *copy = g_memdup2(data, *size);
	vips_area_unref(VIPS_AREA(blob));
	return copy;
}

// colours_to_p3 converts an image of RGB without alpha.
static int colours_to_p3(VipsImage **image) {
	VipsImage *made;
	const int intent = intent_of(*image);
	const int failed = intent < 0 ? vips_icc_transform(*image, &made, "p3", "input_profile", "srgb", NULL) :
		vips_icc_transform(*image, &made, "p3", "embedded", TRUE, "intent", intent, NULL);
	return failed || imaging_replace(image, made);
}

int imaging_to_p3(uint8_t *pixels, int width, int height, int channels, const void *profile, size_t size) {
	const size_t length = (size_t)width * height * channels;
	VipsImage *image = vips_image_new_from_memory(pixels, length, width, height, channels, VIPS_FORMAT_UCHAR);
	if (image == NULL) return -1;
	image->Type = VIPS_INTERPRETATION_sRGB;
	if (size > 0) vips_image_set_blob_copy(image, VIPS_META_ICC_NAME, profile, size);
	VipsImage *alpha = NULL, *made;
	int failed = (channels == 4 && split_alpha(&image, &alpha)) || colours_to_p3(&image);
	if (!failed && alpha != NULL) failed = vips_bandjoin2(image, alpha, &made, NULL) || imaging_replace(&image, made);
	g_clear_object(&alpha);
	size_t made_size = 0;
	void *rows = failed ? NULL : vips_image_write_to_memory(image, &made_size);
	failed = rows == NULL || made_size != length;
	if (!failed) memcpy(pixels, rows, length);
	g_free(rows);
	g_object_unref(image);
	return imaging_finish(failed);
}

// take_grey makes an image of grey from the first channel, and keeps alpha.
static int take_grey(VipsImage **image) {
	VipsImage *made, *alpha = NULL;
	int failed = (vips_image_hasalpha(*image) && split_alpha(image, &alpha)) ||
		vips_extract_band(*image, &made, 0, NULL) || imaging_replace(image, made);
	if (!failed && alpha != NULL) failed = vips_bandjoin2(*image, alpha, &made, NULL) || imaging_replace(image, made);
	(*image)->Type = VIPS_INTERPRETATION_B_W;
	g_clear_object(&alpha);
	return failed ? -1 : 0;
}

int imaging_apply_profile(uint8_t *pixels, int width, int height, int channels, const void *profile, size_t size) {
	const size_t length = (size_t)width * height * channels;
	VipsImage *image = vips_image_new_from_memory(pixels, length, width, height, channels, VIPS_FORMAT_UCHAR);
	if (image == NULL) return -1;
	image->Type = VIPS_INTERPRETATION_sRGB;
	vips_image_set_blob_copy(image, VIPS_META_ICC_NAME, profile, size);
	const int grey = size > 20 && memcmp((const char *)profile + 16, "GRAY", 4) == 0;
	size_t made_size = 0;
	void *made = (grey && take_grey(&image)) || imaging_to_srgb(&image, 1, channels) ? NULL :
		vips_image_write_to_memory(image, &made_size);
	const int failed = made == NULL || made_size != length;
	if (!failed) memcpy(pixels, made, length);
	g_free(made);
	g_object_unref(image);
	return imaging_finish(failed);
}
