// Blur and sharpen, in place. Alpha is not changed. Colours of images with alpha are
// weighted by it.

#pragma once

#include "resample.h"
#include "rows.h"

// Weights2D are the weights for columns and for rows.
typedef struct {
	const Weights *columns, *rows;
} Weights2D;

// imaging_blur blurs the image with the weights in to. If back is not NULL, to leads to a
// smaller image and back from there to the original size. It returns 0, or -1 if it was
// stopped.
int imaging_blur(const Bytes *b, Weights2D to, const Weights2D *back, Stop stop);

// imaging_sharpen adds amount × (luma − blurred luma) of a pixel to each of its colours.
// It returns 0, or -1 if it was stopped.
int imaging_sharpen(const Bytes *b, Weights2D blur, float amount, Stop stop);
