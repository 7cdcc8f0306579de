// Affine maps of decoded images, by libvips.

#pragma once

#include <stdint.h>

#include "stop.h"

// imaging_transform draws an image of sRGB with 3 or 4 channels, of which the fourth is straight
// alpha, at another place: the point (x, y) in pixels moves to (map[0] x + map[1] y + map[2],
// map[3] x + map[4] y + map[5]). out has 4 channels, and is transparent beside the image. It
// returns 0, or -1 if it failed or was stopped.
int imaging_transform(const uint8_t *pixels, int width, int height, int channels, const double map[6],
	uint8_t *out, int out_width, int out_height, Stop stop);
