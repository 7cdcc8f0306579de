#include "webpanim.h"

#include <stdlib.h>

#include <webp/demux.h>
#include <webp/encode.h>
#include <webp/mux.h>

void *imaging_webp_frames(const uint8_t *file, size_t size, int width, int height) {
	const WebPData data = {file, size};
	WebPAnimDecoderOptions options;
	WebPAnimInfo info;
	if (!WebPAnimDecoderOptionsInit(&options)) return NULL;
	options.color_mode = MODE_RGBA;
	WebPAnimDecoder *decoder = WebPAnimDecoderNew(&data, &options);
	if (decoder == NULL) return NULL;
	if (WebPAnimDecoderGetInfo(decoder, &info) && info.canvas_width == (uint32_t)width &&
		info.canvas_height == (uint32_t)height)
		return decoder;
	WebPAnimDecoderDelete(decoder);
	return NULL;
}

const uint8_t *imaging_webp_next(void *frames) {
	uint8_t *canvas;
	int end;
	return WebPAnimDecoderGetNext(frames, &canvas, &end) ? canvas : NULL;
}

void imaging_webp_close(void *frames) { WebPAnimDecoderDelete(frames); }

struct WebPAnimation {
	WebPAnimEncoder *encoder;
	WebPConfig config;
	int width, height;
};

WebPAnimation *imaging_webp_animation(int width, int height, int plays, int quality, int lossless) {
	WebPAnimEncoderOptions options;
	WebPAnimation *a = calloc(1, sizeof *a);
	if (a == NULL || !WebPAnimEncoderOptionsInit(&options) || !WebPConfigInit(&a->config)) {
		free(a);
		return NULL;
	}
	options.anim_params.loop_count = plays;
	a->config.quality = quality, a->config.lossless = lossless;
	a->width = width, a->height = height;
	a->encoder = WebPAnimEncoderNew(width, height, &options);
	if (a->encoder != NULL) return a;
	free(a);
	return NULL;
}

int imaging_webp_add(WebPAnimation *a, const uint8_t *pixels, int channels, int from) {
	WebPPicture picture;
	if (!WebPPictureInit(&picture)) return -1;
	picture.width = a->width, picture.height = a->height, picture.use_argb = 1;
	const int added = (channels == 4 ? WebPPictureImportRGBA : WebPPictureImportRGB)(&picture, pixels, a->width * channels) &&
		WebPAnimEncoderAdd(a->encoder, &picture, from, &a->config);
	WebPPictureFree(&picture);
	return added ? 0 : -1;
}

int imaging_webp_finish(WebPAnimation *a, int end, uint8_t **data, size_t *size) {
	WebPData file = {NULL, 0};
	const int made = WebPAnimEncoderAdd(a->encoder, NULL, end, NULL) && WebPAnimEncoderAssemble(a->encoder, &file);
	*data = (uint8_t *)file.bytes, *size = file.size;
	return made ? 0 : -1;
}

void imaging_webp_free(WebPAnimation *a) {
	WebPAnimEncoderDelete(a->encoder);
	free(a);
}
