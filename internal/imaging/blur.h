// Filters which mix neighbouring pixels, in place. Alpha stays; where there is
// some, a pixel has as much say as it is opaque.

#pragma once

#include "resample.h"
#include "rows.h"

// Grid are the weights across and down.
typedef struct {
	const Weights *columns, *rows;
} Grid;

// imaging_blur blurs by one set of weights, or by two: one to a coarser picture
// and one back. It returns 0, or -1 when it is stopped.
int imaging_blur(const Bytes *b, Grid to, const Grid *back, Stop stop);

// imaging_sharpen adds to every colour, amount times, how far its pixel's luma
// stands out from the blurred luma. It returns as imaging_blur does.
int imaging_sharpen(const Bytes *b, Grid blur, float amount, Stop stop);
