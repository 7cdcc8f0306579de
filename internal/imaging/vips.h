// Calls to libvips. Each call uses the caller's memory only during the call and returns 0,
// or -1 if it failed. The messages of libvips are dropped, since all threads share them.

#pragma once

#include <stddef.h>
#include "resample.h"
#include "stop.h"

// JPEGs of up to this many pixels are written with optimized Huffman codes, larger ones
// with the standard codes.
enum { MAX_OPTIMIZED_PIXELS = 16000000 };

typedef enum { JPEG, PNG, WEBP, TIFF, GIF, AVIF, HEIC } Codec;

// Part is a part of a file.
typedef struct {
	const void *data;
	size_t size;
} Part;

// Frame is a rectangle of pixels.
typedef struct {
	int left, top, width, height;
} Frame;

// EncodedImage is an encoded image and the facts from its header.
typedef struct {
	// The loader reads the concatenation of these parts.
	const Part *parts;
	int count;
	// tail is the maximum size in bytes of the last 16 rows; 0 means no limit.
	size_t tail;
	Stop stop;
	Codec codec;
	// The decoder returns width × height pixels. It shrinks the sides of a JPEG by
	// 1, 2, 4 or 8.
	int width, height, shrink;
	// frame is the part of the canvas that the decoder fills; empty means all of it.
	Frame frame;
	// use_profile: convert colours with the ICC profile, if it fits.
	int use_profile;
	// extra is the number of channels after the colours. alpha is the number of the alpha
	// channel among them, counted from 1; 0 means no alpha.
	int extra, alpha;
	// multiplied: the colours are multiplied by the alpha channel.
	int multiplied;
	// ycc is the 3 × 4 matrix from YCbCr to RGB; used if is_ycc is set.
	int is_ycc;
	double ycc[12];
	// warned is set by imaging_decode if the decoder emitted warnings.
	int warned;
} EncodedImage;

// Box is a width and a height in pixels.
typedef struct {
	int across, down;
} Box;

// imaging_start initializes libvips: one thread per image, no operation cache, and no
// loaders that libvips marks as untrusted. It returns NULL, or the reason why it failed.
const char *imaging_start(void);

// imaging_open_files returns the number of files that libvips has open.
int imaging_open_files(void);

// imaging_finish frees the memory that libvips keeps per thread, since Go starts and ends threads,
// and drops error messages. It returns 0, or -1 if failed is set.
int imaging_finish(int failed);

// imaging_decode decodes an image to rows of sRGB with 3 or 4 channels, of which the fourth
// is straight alpha. If columns is not NULL, it averages boxes of pixels first and then
// resamples them with the weights; out has columns->outputs × rows->outputs pixels.
int imaging_decode(EncodedImage *p, Box box, const Weights *columns, const Weights *rows,
	int channels, uint8_t *out);

// EncoderOptions are the options of imaging_encode. Encoders ignore those that they do not have.
// quality is in 1 … 100. effort is in 0 … 9. compression is in 1 … 9. subsample: halve the sides of
// the colours.
typedef struct {
	Codec codec;
	int quality, effort, compression, subsample, progressive;
} EncoderOptions;

// imaging_encode encodes rows of sRGB, or of grey if there is one channel. The caller frees *data with g_free.
int imaging_encode(const uint8_t *pixels, int width, int height, int channels,
	const EncoderOptions *options, Stop stop, void **data, size_t *size);

// Interest is a method of vips_smartcrop: ATTENTION looks for edges, skin and saturated colours,
// ENTROPY cuts off what has the least entropy.
typedef enum { ATTENTION, ENTROPY } Interest;

// imaging_smartcrop finds the most interesting crop_width × crop_height pixels of an image of sRGB
// with 3 channels, which is not smaller.
int imaging_smartcrop(const uint8_t *pixels, int width, int height, Interest interest, int crop_width, int crop_height,
	int *left, int *top);

// imaging_p3 returns the ICC profile of Display P3, or NULL. The caller frees it with g_free.
void *imaging_p3(size_t *size);

// imaging_to_p3 converts pixels of RGB, with alpha if there are 4 channels, from an ICC profile to
// Display P3. Without a profile, or if it does not fit or is broken, it converts from sRGB. It
// returns 0, or -1 if it failed.
int imaging_to_p3(uint8_t *pixels, int width, int height, int channels, const void *profile, size_t size);

// imaging_apply_profile converts pixels of RGB, with alpha if there are 4 channels, from an ICC
// profile to sRGB. A profile of grey is applied to the first channel. It does not change them if the profile does not fit or is broken. It returns 0,
// or -1 if it failed.
int imaging_apply_profile(uint8_t *pixels, int width, int height, int channels, const void *profile, size_t size);
