#include "jxl.h"

#include <stdlib.h>
#include <string.h>

#include <jxl/decode.h>
#include <jxl/encode.h>

#include "rows.h"

static int bands_of(const JxlStream *s) { return s->alpha ? 4 : 3; }

// choose_colours asks for sRGB, or for the colours of the file if they are kept. These cannot be PQ and
// HLG, which 8 bits are too few for.
static void choose_colours(JxlDecoder *decoder, const JxlStream *s) {
	JxlColorEncoding wanted;
	if (!s->keep || JxlDecoderGetColorAsEncodedProfile(decoder, NULL, JXL_COLOR_PROFILE_TARGET_ORIGINAL, &wanted) ||
		wanted.transfer_function == JXL_TRANSFER_FUNCTION_PQ || wanted.transfer_function == JXL_TRANSFER_FUNCTION_HLG)
		JxlColorEncodingSetToSRGB(&wanted, s->grey);
	JxlDecoderSetPreferredColorProfile(decoder, &wanted);
}

// take_profile sets the profile of the samples if the decoder returns other colours than sRGB.
static int take_profile(JxlDecoder *decoder, JxlStream *s) {
	JxlColorEncoding made;
	size_t size = 0;
	choose_colours(decoder, s);
	if (JxlDecoderGetColorAsEncodedProfile(decoder, NULL, JXL_COLOR_PROFILE_TARGET_DATA, &made) == JXL_DEC_SUCCESS &&
		made.transfer_function == JXL_TRANSFER_FUNCTION_SRGB && made.white_point == JXL_WHITE_POINT_D65 &&
		(s->grey || made.primaries == JXL_PRIMARIES_SRGB))
		return 0;
	if (JxlDecoderGetICCProfileSize(decoder, NULL, JXL_COLOR_PROFILE_TARGET_DATA, &size) || size == 0) return 0;
	s->profile = malloc(size);
	if (s->profile == NULL) return -1;
	s->profile_size = size;
	return JxlDecoderGetColorAsICCProfile(decoder, NULL, JXL_COLOR_PROFILE_TARGET_DATA, s->profile, size) ? -1 : 0;
}

static int is_described(JxlDecoder *decoder, const JxlStream *s) {
	JxlBasicInfo info;
	return JxlDecoderGetBasicInfo(decoder, &info) == JXL_DEC_SUCCESS && info.xsize == s->width &&
		info.ysize == s->height && (info.alpha_bits > 0) == s->alpha && (info.num_color_channels == 1) == s->grey;
}

static int set_output(JxlDecoder *decoder, const JxlStream *s, uint8_t *pixels) {
	const JxlPixelFormat format = {bands_of(s), JXL_TYPE_UINT8, JXL_NATIVE_ENDIAN, 0};
	const size_t size = (size_t)s->width * s->height * bands_of(s);
	size_t needed;
	if (JxlDecoderImageOutBufferSize(decoder, &format, &needed) || needed != size) return -1;
	return JxlDecoderSetImageOutBuffer(decoder, &format, pixels, size) ? -1 : 0;
}

// feed gives the decoder the next piece. It returns 0, or -1 if there is none.
static int feed(JxlDecoder *decoder, const JxlStream *s, size_t *fed) {
	const size_t left = JxlDecoderReleaseInput(decoder);
	if (*fed == s->size) return -1;
	const size_t from = *fed - left, more = s->size - *fed < s->piece ? s->size - *fed : s->piece;
	*fed += more;
	return JxlDecoderSetInput(decoder, s->data + from, left + more) ? -1 : 0;
}

// decode_pixels decodes the first image, or only its profile if pixels is NULL.
static int decode_pixels(JxlDecoder *decoder, JxlStream *s, Stop stop, uint8_t *pixels) {
	const int events = JXL_DEC_BASIC_INFO | JXL_DEC_COLOR_ENCODING | (pixels ? JXL_DEC_FULL_IMAGE : 0);
	size_t fed = 0;
	if (JxlDecoderSubscribeEvents(decoder, events) || JxlDecoderSetKeepOrientation(decoder, JXL_TRUE) || JxlDecoderSetUnpremultiplyAlpha(decoder, JXL_TRUE))
		return -1;
	for (;;) {
		if (imaging_stopped(stop)) return -1;
		int failed = -1;
		switch (JxlDecoderProcessInput(decoder)) {
		case JXL_DEC_NEED_MORE_INPUT: failed = feed(decoder, s, &fed); break;
		case JXL_DEC_BASIC_INFO: failed = !is_described(decoder, s); break;
		case JXL_DEC_COLOR_ENCODING:
			failed = take_profile(decoder, s);
			if (pixels == NULL) return failed;
			break;
		case JXL_DEC_NEED_IMAGE_OUT_BUFFER: failed = set_output(decoder, s, pixels); break;
		case JXL_DEC_FULL_IMAGE: return 0;
		default: break;
		}
		if (failed) return -1;
	}
}

static int decode(JxlStream *s, Stop stop, uint8_t *pixels) {
	JxlDecoder *decoder = JxlDecoderCreate(NULL);
	if (decoder == NULL) return -1;
	const int failed = decode_pixels(decoder, s, stop, pixels);
	JxlDecoderDestroy(decoder);
	return failed;
}

int imaging_read_jxl_profile(JxlStream *s, Stop stop) { return decode(s, stop, NULL); }

typedef struct {
	const uint8_t *pixels;
	size_t length; // of a row
	Stop stop;
} Rows;

static const uint8_t *next_row(void *from, int y) {
	const Rows *rows = from;
	return imaging_stopped(rows->stop) ? NULL : rows->pixels + rows->length * y;
}

int imaging_decode_jxl(JxlStream *s, Box box, const Weights *columns, const Weights *rows, Stop stop, uint8_t *out) {
	if (columns == NULL) return decode(s, stop, out);
	const size_t length = (size_t)s->width * bands_of(s);
	uint8_t *pixels = malloc(length * s->height);
	int failed = pixels == NULL || decode(s, stop, pixels);
	if (!failed) {
		Rows from = {pixels, length, stop};
		const Boxes boxes = {
			.next = next_row, .from = &from, .width = s->width, .height = s->height, .bands = bands_of(s), .alpha = s->alpha,
			.across = box.across, .down = box.down,
		};
		failed = imaging_resample_boxes(boxes, columns, rows, stop, out);
	}
	free(pixels);
	return failed ? -1 : 0;
}

// set_facts sets the size, the channels and the colours of an output.
static int set_facts(JxlEncoder *encoder, const JxlOutput *o) {
	JxlBasicInfo info;
	JxlColorEncoding colours;
	JxlEncoderInitBasicInfo(&info);
	info.xsize = o->width;
	info.ysize = o->height;
	info.uses_original_profile = o->lossless;
	if (o->channels == 4) info.num_extra_channels = 1, info.alpha_bits = 8;
	if (JxlEncoderSetBasicInfo(encoder, &info)) return -1;
	if (o->profile != NULL && JxlEncoderSetICCProfile(encoder, o->profile, o->profile_size) == JXL_ENC_SUCCESS) return 0;
	JxlColorEncodingSetToSRGB(&colours, JXL_FALSE);
	return JxlEncoderSetColorEncoding(encoder, &colours) ? -1 : 0;
}

static int add_pixels(JxlEncoder *encoder, const JxlOutput *o) {
	const JxlPixelFormat format = {o->channels, JXL_TYPE_UINT8, JXL_NATIVE_ENDIAN, 0};
	JxlEncoderFrameSettings *settings = JxlEncoderFrameSettingsCreate(encoder, NULL);
	if (settings == NULL || JxlEncoderFrameSettingsSetOption(settings, JXL_ENC_FRAME_SETTING_EFFORT, o->effort) ||
		JxlEncoderSetFrameDistance(settings, o->distance) ||
		(o->lossless && JxlEncoderSetFrameLossless(settings, JXL_TRUE)) ||
		JxlEncoderAddImageFrame(settings, &format, o->pixels, (size_t)o->width * o->height * o->channels))
		return -1;
	JxlEncoderCloseInput(encoder);
	return 0;
}

// write_output writes the file to memory that grows.
static int write_output(JxlEncoder *encoder, Stop stop, uint8_t **data, size_t *size) {
	size_t room = 1 << 16, used = 0;
	for (;;) {
		uint8_t *grown = realloc(*data, room);
		if (grown == NULL) return -1;
		*data = grown;
		uint8_t *next = grown + used;
		size_t left = room - used;
		const JxlEncoderStatus status = imaging_stopped(stop) ? JXL_ENC_ERROR : JxlEncoderProcessOutput(encoder, &next, &left);
		used = *size = next - grown;
		if (status != JXL_ENC_NEED_MORE_OUTPUT) return status == JXL_ENC_SUCCESS ? 0 : -1;
		room *= 2;
	}
}

int imaging_encode_jxl(const JxlOutput *o, Stop stop, uint8_t **data, size_t *size) {
	JxlEncoder *encoder = imaging_stopped(stop) ? NULL : JxlEncoderCreate(NULL);
	*data = NULL;
	if (encoder == NULL) return -1;
	const int failed = set_facts(encoder, o) || add_pixels(encoder, o) || write_output(encoder, stop, data, size);
	JxlEncoderDestroy(encoder);
	if (!failed) return 0;
	free(*data);
	*data = NULL;
	return -1;
}
