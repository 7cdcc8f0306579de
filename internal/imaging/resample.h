// Resampling by weights: a picture becomes one of another size, or a blurred
// one, each pixel a weighted sum of the pixels around it.

#pragma once

#include <stdint.h>

#include "stop.h"

// Weights say what each of so many outputs along one side is made of: the count
// inputs from first[i] on, by weights[i * count ...]. No first is below the one
// before, and all inputs exist.
typedef struct {
	int outputs, count;
	const int32_t *first;
	const float *weights;
} Weights;

// Reader gives the rows of a picture, each once and from the top, as width ×
// bands numbers. It returns 0, or anything else to give up.
typedef int (*Reader)(void *from, int y, float *row);

// Writer takes the rows of the outcome in the same way.
typedef void (*Writer)(void *to, int y, const float *row);

// resample reads rows of width pixels with 1 to 4 bands. Row y is written when
// no row below first + count of y has been read. It returns 0, what the reader
// gave up with, or -1 when it is stopped.
int imaging_resample(Reader read, void *from, int width, int bands,
	const Weights *columns, const Weights *rows, Writer write, void *to, Stop stop);
