// The calls to libvips. Each works on the caller's memory, keeps none of it, and
// returns 0, or -1 for what cannot be done, about which libvips' own words are
// thrown away: they are shared by all threads.

#pragma once

#include <stddef.h>
#include "resample.h"
#include "stop.h"

// Larger JPEGs have standard Huffman codes.
enum { MAX_OPTIMIZED_PIXELS = 16000000 };

typedef enum { JPEG, PNG, WEBP, TIFF, GIF, AVIF } Codec;

// Part is a part of a file.
typedef struct {
	const void *data;
	size_t size;
} Part;

// Frame is a rectangle of pixels.
typedef struct {
	int left, top, width, height;
} Frame;

// Picture is an encoded picture and what its header says.
typedef struct {
	// The loader sees these parts one behind the other.
	const Part *parts;
	int count;
	// tail bounds the bytes that the last 16 rows take; 0 does not.
	size_t tail;
	Stop stop;
	Codec codec;
	// width × height pixels come out of the decoder, which shrinks a JPEG's
	// sides by 1, 2, 4 or 8.
	int width, height, shrink;
	// frame is the part of them that the decoder knows, nothing where that is all.
	Frame frame;
	// managed reports whether its ICC profile counts, if it fits.
	int managed;
	// extra channels follow the colours. The alpha-th of them, from 1, is alpha; 0
	// is none.
	int extra, alpha;
	// ycc is a matrix of 3 × 4 from YCbCr to RGB, if is_ycc.
	int is_ycc;
	double ycc[12];
	// warned is set where the decoder gave warnings.
	int warned;
} Picture;

// Box is a number of pixels across and down.
typedef struct {
	int across, down;
} Box;

// imaging_start initializes libvips: one thread per image, no operation cache, and no
// loaders that libvips marks as untrusted. It returns NULL, or the reason why it failed.
const char *imaging_start(void);

// imaging_decode decodes a picture into rows of sRGB with 3 or 4 channels, the
// fourth of which is straight alpha. With weights it is resampled: they are for
// means of boxes of pixels, and the outcome has their numbers of outputs.
int imaging_decode(Picture *p, Box box, const Weights *columns, const Weights *rows,
	int channels, uint8_t *out);

// imaging_encode encodes rows of sRGB. The data is to be freed with g_free.
int imaging_encode(const uint8_t *pixels, int width, int height, int channels,
	Codec codec, int quality, Stop stop, void **data, size_t *size);
