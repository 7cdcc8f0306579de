// Decoding of AV1 by dav1d, straight to rows of RGB.

#pragma once

#include <stddef.h>

#include "resample.h"
#include "vips.h"

// Av1Frames is an image of one frame or of a grid of frames of equal size.
typedef struct {
	const Part *frames; // row by row
	int count, columns;
	int frame_width, frame_height; // of one frame, in pixels
	int width, height;             // of the image, in pixels; frames at its edges may reach beyond
	int depth;                     // bits per channel
	int chroma;                    // 0 is grey, 1 is 4:2:0, 2 is 4:2:2, 3 is 4:4:4
} Av1Frames;

// Av1Image is an image and its alpha channel.
typedef struct {
	Av1Frames colours, alpha; // alpha.count is 0 if there is none
	Frame shown;               // the part of the image that is decoded
	// rgb is the 3 × 4 matrix that turns the stored Y, Cb and Cr, and 1, into R, G and B of 0 to 255.
	float rgb[12];
	// scale and offset turn the stored alpha into 0 to 255.
	float scale, offset;
	int multiplied; // the colours are multiplied by alpha
} Av1Image;

// imaging_decode_av1 decodes an image to rows of RGB, or RGBA if it has alpha. If columns is not
// NULL, it averages boxes of pixels first and then resamples them with the weights. It checks stop
// between frames and rows. It returns 0, or -1 if it was stopped, memory is lacking, or a frame
// cannot be decoded or is not as described.
int imaging_decode_av1(const Av1Image *image, Box box, const Weights *columns, const Weights *rows, Stop stop,
	uint8_t *out);
