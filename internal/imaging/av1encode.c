#include "av1encode.h"

#include <stdlib.h>
#include <string.h>

#include <aom/aom_encoder.h>
#include <aom/aomcx.h>

// fill sets the planes of an image: of colours green, blue and red, or alpha as luma without colours.
static void fill(aom_image_t *image, const uint8_t *pixels, int channels, int is_alpha) {
	static const int channel_of[] = {1, 2, 0};
	const size_t length = (size_t)image->d_w * channels;
	for (int i = 0; i < 3; i++) {
		const unsigned width = is_alpha && i > 0 ? (image->d_w + 1) / 2 : image->d_w;
		const unsigned height = is_alpha && i > 0 ? (image->d_h + 1) / 2 : image->d_h;
		for (unsigned y = 0; y < height; y++) {
			uint8_t *row = image->planes[i] + (size_t)y * image->stride[i];
			const uint8_t *from = pixels + y * length + (is_alpha ? 3 : channel_of[i]);
			if (is_alpha && i > 0) memset(row, 128, width);
			else for (unsigned x = 0; x < width; x++) row[x] = from[(size_t)x * channels];
		}
	}
	image->monochrome = is_alpha;
	image->range = AOM_CR_FULL_RANGE;
}

static int configure(aom_codec_ctx_t *encoder, const aom_image_t *image, int is_alpha, int speed) {
	aom_codec_enc_cfg_t config;
	if (aom_codec_enc_config_default(aom_codec_av1_cx(), &config, AOM_USAGE_ALL_INTRA)) return -1;
	config.g_w = image->d_w, config.g_h = image->d_h;
	config.g_threads = config.g_limit = 1;
	config.g_lag_in_frames = 0;
	config.g_profile = is_alpha ? 0 : 1;
	config.monochrome = is_alpha;
	config.rc_end_usage = AOM_Q;
	config.rc_min_quantizer = config.rc_max_quantizer = 0;
	if (aom_codec_enc_init(encoder, aom_codec_av1_cx(), &config, 0)) return -1;
	int failed = aom_codec_control(encoder, AV1E_SET_LOSSLESS, 1) || aom_codec_control(encoder, AOME_SET_CPUUSED, speed) ||
		aom_codec_control(encoder, AV1E_SET_COLOR_RANGE, 1);
	if (!is_alpha)
		failed = failed || aom_codec_control(encoder, AV1E_SET_COLOR_PRIMARIES, AOM_CICP_CP_BT_709) ||
			aom_codec_control(encoder, AV1E_SET_TRANSFER_CHARACTERISTICS, AOM_CICP_TC_SRGB) ||
			aom_codec_control(encoder, AV1E_SET_MATRIX_COEFFICIENTS, AOM_CICP_MC_IDENTITY);
	return failed ? -1 : 0;
}

// take_packets appends the encoded data.
static int take_packets(aom_codec_ctx_t *encoder, void **data, size_t *size) {
	aom_codec_iter_t at = NULL;
	const aom_codec_cx_pkt_t *packet;
	while ((packet = aom_codec_get_cx_data(encoder, &at)) != NULL) {
		if (packet->kind != AOM_CODEC_CX_FRAME_PKT) continue;
		uint8_t *longer = realloc(*data, *size + packet->data.frame.sz);
		if (longer == NULL) return -1;
		memcpy(longer + *size, packet->data.frame.buf, packet->data.frame.sz);
		*data = longer, *size += packet->data.frame.sz;
	}
	return 0;
}

int imaging_encode_av1(const uint8_t *pixels, int width, int height, int channels, int is_alpha, int speed,
	void **data, size_t *size) {
	aom_codec_ctx_t encoder = {0};
	*data = NULL, *size = 0;
	aom_image_t *image = aom_img_alloc(NULL, is_alpha ? AOM_IMG_FMT_I420 : AOM_IMG_FMT_I444, width, height, 16);
	if (image == NULL) return -1;
	fill(image, pixels, channels, is_alpha);
	const int failed = configure(&encoder, image, is_alpha, speed) || aom_codec_encode(&encoder, image, 0, 1, 0) ||
		take_packets(&encoder, data, size) || aom_codec_encode(&encoder, NULL, 0, 1, 0) || take_packets(&encoder, data, size);
	aom_codec_destroy(&encoder);
	aom_img_free(image);
	if (!failed && *size > 0) return 0;
	free(*data);
	*data = NULL;
	return -1;
}
