#include "webp.h"

#include <stdlib.h>

#include <webp/decode.h>
#include <webp/demux.h>
#include <webp/encode.h>

// PART is the number of bytes that are decoded between two checks of stop.
enum { PART = 32 << 10 };

// Decoded are the planes that the decoder fills from the top down, and what resamples them.
typedef struct {
	uint8_t *memory, *planes[MAX_PLANES];
	int width[MAX_PLANES], height[MAX_PLANES], pushed[MAX_PLANES];
	size_t stride[MAX_PLANES];
	Resample8 *resamplers[MAX_PLANES];
} Decoded;

static int allocate(Decoded *d, int width, int height, const PlaneTarget *targets) {
	size_t size = 0;
	for (int i = 0; i < MAX_PLANES; i++) {
		d->width[i] = i == 0 ? width : (width + 1) / 2;
		d->height[i] = i == 0 ? height : (height + 1) / 2;
		d->stride[i] = aligned(d->width[i]);
		size += d->stride[i] * d->height[i];
	}
	d->memory = calloc(size, 1);
	if (d->memory == NULL) return -1;
	uint8_t *at = d->memory;
	for (int i = 0; i < MAX_PLANES; i++) {
		const PlaneTarget *t = &targets[i];
		d->planes[i] = at, at += d->stride[i] * d->height[i];
		d->resamplers[i] = imaging_resample8_new(t->columns, t->rows, t->samples, t->columns->outputs);
		if (d->resamplers[i] == NULL) return -1;
	}
	return 0;
}

static void release(Decoded *d) {
	for (int i = 0; i < MAX_PLANES; i++) imaging_resample8_free(d->resamplers[i]);
	free(d->memory);
}

// push passes on the rows that were decoded since the last call. rows counts those of luma.
static void push(Decoded *d, int rows) {
	for (int i = 0; i < MAX_PLANES; i++) {
		const int end = i == 0 ? rows : rows == d->height[0] ? d->height[i] : rows / 2;
		for (; d->pushed[i] < end; d->pushed[i]++) {
			uint8_t *row = d->planes[i] + d->stride[i] * d->pushed[i];
			imaging_resample8_push(d->resamplers[i], &row, 1);
		}
	}
}

// decode decodes a frame part by part.
static int decode(const WebPData *frame, Decoded *d, Stop stop) {
	WebPIDecoder *decoder = WebPINewYUVA(
		d->planes[0], d->stride[0] * d->height[0], d->stride[0], d->planes[1], d->stride[1] * d->height[1],
		d->stride[1], d->planes[2], d->stride[2] * d->height[2], d->stride[2], NULL, 0, 0);
	if (decoder == NULL) return -1;
	VP8StatusCode status = VP8_STATUS_SUSPENDED;
	for (size_t end = 0; status == VP8_STATUS_SUSPENDED && end < frame->size && !imaging_stopped(stop);) {
		int rows = 0;
		end = frame->size - end > PART ? end + PART : frame->size;
		status = WebPIUpdate(decoder, frame->bytes, end);
		if (WebPIDecGetYUV(decoder, &rows, NULL, NULL, NULL, NULL, NULL, NULL) != NULL) push(d, rows);
	}
	WebPIDelete(decoder);
	return status == VP8_STATUS_OK ? 0 : -1;
}

static int is_lossy(const WebPData *frame, int width, int height) {
	WebPBitstreamFeatures f;
	return WebPGetFeatures(frame->bytes, frame->size, &f) == VP8_STATUS_OK && f.format == 1 && f.width == width &&
		f.height == height;
}

int imaging_resample_webp(const uint8_t *file, size_t size, int width, int height, const PlaneTarget *targets,
	Stop stop) {
	const WebPData data = {file, size};
	WebPDemuxer *demuxer = WebPDemux(&data); // as libvips does, so that it rejects the same containers
	if (demuxer == NULL) return -1;
	WebPIterator frame;
	Decoded d = {0};
	int failed = -1;
	if (WebPDemuxGetFrame(demuxer, 1, &frame)) {
		if (frame.num_frames == 1 && frame.x_offset == 0 && frame.y_offset == 0 &&
			is_lossy(&frame.fragment, width, height) && allocate(&d, width, height, targets) == 0)
			failed = decode(&frame.fragment, &d, stop);
		WebPDemuxReleaseIterator(&frame);
	}
	release(&d);
	WebPDemuxDelete(demuxer);
	return failed;
}

static int go_on(int percent, const WebPPicture *picture) { return !imaging_stopped(picture->user_data); }

// encode encodes a picture and frees its memory, except planes that it did not allocate.
static int encode(const WebPConfig *config, WebPPicture *picture, Stop stop, uint8_t **data, size_t *size) {
	WebPMemoryWriter file;
	WebPMemoryWriterInit(&file);
	picture->writer = WebPMemoryWrite, picture->custom_ptr = &file;
	picture->progress_hook = go_on, picture->user_data = (void *)stop;
	const int failed = WebPEncode(config, picture) ? 0 : -1;
	WebPPictureFree(picture);
	if (failed) WebPMemoryWriterClear(&file);
	*data = file.mem, *size = file.size;
	return failed;
}

int imaging_write_webp(const Plane *planes, int width, int height, int quality, Stop stop, uint8_t **data,
	size_t *size) {
	WebPConfig config;
	WebPPicture picture;
	if (!WebPConfigInit(&config) || !WebPPictureInit(&picture)) return -1;
	config.quality = quality;
	picture.width = width, picture.height = height;
	picture.y = planes[0].samples, picture.u = planes[1].samples, picture.v = planes[2].samples;
	picture.y_stride = planes[0].width, picture.uv_stride = planes[1].width;
	return encode(&config, &picture, stop, data, size);
}

int imaging_write_lossless_webp(const uint8_t *pixels, int width, int height, int channels, int quality, Stop stop,
	uint8_t **data, size_t *size) {
	WebPConfig config;
	WebPPicture picture;
	if (!WebPConfigInit(&config) || !WebPPictureInit(&picture)) return -1;
	config.quality = quality, config.lossless = config.exact = 1;
	picture.width = width, picture.height = height, picture.use_argb = 1;
	if (!(channels == 4 ? WebPPictureImportRGBA : WebPPictureImportRGB)(&picture, pixels, width * channels)) return -1;
	return encode(&config, &picture, stop, data, size);
}
