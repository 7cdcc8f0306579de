// Gaussian blur and unsharp masking of planes of bytes with integer weights. The results are
// the same on every CPU.

#pragma once

#include "plane.h"
#include "stop.h"

enum { GAUSS8_SUM = 1 << 14 };

// Gauss8 is a symmetric kernel in fixed point. weights[0] is half of the weight in the middle,
// and weights[i] is the weight of each of the two samples at distance i, up to radius. Their
// sum is GAUSS8_SUM, which stands for one half.
typedef struct {
	int radius;
	const int16_t *weights;
} Gauss8;

// Gauss2D are the kernels for columns and for rows.
typedef struct {
	Gauss8 columns, rows;
} Gauss2D;

// Blur8 is the state of a blur that runs from the top down.
typedef struct Blur8 Blur8;

// imaging_blur8_new returns a blur of a plane, which may be overwritten row by row behind it.
// The plane is reflected at its edges. amount is in −10 … 10.
Blur8 *imaging_blur8_new(const Plane *plane, const Gauss2D *gauss, float amount);

// imaging_blur8_row writes amount · (sample − blurred sample) of the next row to out, which
// has room for the next multiple of 64 numbers. Errors are below 1/30 for an amount of 10.
void imaging_blur8_row(Blur8 *b, int16_t *out);

void imaging_blur8_free(Blur8 *b);

// imaging_blur8 blurs a plane in place. It returns 0, or -1 if it was stopped.
int imaging_blur8(const Plane *plane, const Gauss2D *gauss, Stop stop);
