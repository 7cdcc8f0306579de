// Decoding and encoding of JPEG XL by libjxl.

#pragma once

#include <stddef.h>

#include "resample.h"
#include "vips.h"

// JxlStream is a codestream, up to the end of the first image, and the facts from its headers.
typedef struct {
	const uint8_t *data;
	size_t size;
	int width, height, alpha, grey;
	// piece is the size of the parts that the decoder gets. The call can be stopped after each.
	size_t piece;
	// keep: the samples have the colours of the file. Otherwise they are sRGB if libjxl can convert them.
	int keep;
	// profile is set to the ICC profile of the samples, if they are not sRGB. The caller frees it with
	// free.
	void *profile;
	size_t profile_size;
} JxlStream;

// imaging_decode_jxl decodes the first image to rows of RGB, or RGBA if it has alpha, with straight
// alpha and before orientation. If columns is not NULL, it averages boxes of pixels first and then
// resamples them with the weights. It works in this thread. It returns 0, or -1 if it was stopped,
// memory is lacking, or the codestream cannot be decoded or is not as described.
int imaging_decode_jxl(JxlStream *stream, Box box, const Weights *columns, const Weights *rows, Stop stop, uint8_t *out);

// imaging_read_jxl_profile sets the profile of the stream without decoding pixels. It returns 0, or -1 if it
// was stopped, memory is lacking, or the headers cannot be decoded or are not as described.
int imaging_read_jxl_profile(JxlStream *stream, Stop stop);

// JxlOutput are pixels to encode, and the options of the encoder.
typedef struct {
	const uint8_t *pixels; // RGB, or RGBA with straight alpha
	int width, height, channels;
	float distance; // from 0.1 to 25, larger is worse
	int effort;     // from 1, the least time, to 9
	int lossless;   // distance counts if it is 0
	// profile is the ICC profile of the pixels; NULL means sRGB. A profile that libjxl rejects is left
	// out.
	const uint8_t *profile;
	size_t profile_size;
} JxlOutput;

// imaging_encode_jxl encodes pixels as a codestream, in this thread. It checks stop only before and after
// that. The caller frees *data with free. It returns 0, or -1 if it failed or was stopped.
int imaging_encode_jxl(const JxlOutput *output, Stop stop, uint8_t **data, size_t *size);
