// Separable resampling: each output pixel is a weighted sum of input pixels. It serves
// resize and blur.

#pragma once

#include <stdint.h>

#include "stop.h"

enum { CUT_WEIGHT_BITS = 11 };

// Weights describe the outputs along one axis. Output i is the sum of count inputs from
// first[i] on, multiplied by weights[i * count ...]. first never decreases, and all these
// inputs exist. cut: sums lose fraction bits as in OpenCV's INTER_LINEAR, and weights are multiples
// of 1 / (1 << CUT_WEIGHT_BITS).
typedef struct {
	int outputs, count, cut;
	const int32_t *first;
	const float *weights;
} Weights;

// Reader writes row y, width × bands numbers, to row. It is called once for each row, from
// the top down. It returns 0, or another value to abort.
typedef int (*Reader)(void *from, int y, float *row);

// Writer receives the output rows in the same order and form.
typedef void (*Writer)(void *to, int y, const float *row);

// imaging_resample reads rows of width pixels with 1 to 4 bands. It writes row y as soon as
// the rows up to first[y] + count − 1 are read, and reads no further rows. Columns that no output
// needs cost no arithmetic. It returns 0, the reader's value if that
// is not 0, or -1 if it was stopped.
int imaging_resample(Reader read, void *from, int width, int bands,
	const Weights *columns, const Weights *rows, Writer write, void *to, Stop stop);
