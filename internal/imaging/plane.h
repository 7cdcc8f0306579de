// A component of a JPEG.

#pragma once

#include <stdint.h>

// Plane is a plane of samples, row by row without padding. across and down are the sampling
// factors of the component.
typedef struct {
	uint8_t *samples;
	int width, height, across, down;
} Plane;
