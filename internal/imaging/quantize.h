// Palettes for GIFs and PNGs.

#pragma once

#include <stddef.h>
#include <stdint.h>

#include "stop.h"

// MAX_PALETTE is the maximum number of colours of a palette.
enum { MAX_PALETTE = 256 };

// PaletteImage are pixels with 1, 3 or 4 channels: grey, or RGB with straight alpha.
typedef struct {
	const uint8_t *pixels;
	// before are pixels of the same size, which are equal to those that get no colour; NULL means none.
	const uint8_t *before;
	int width, height, channels;
	// diffuse: errors are diffused (Floyd and Steinberg), colours are opaque, and pixels with an alpha below
	// 128 get no colour. Otherwise colours have alpha.
	int diffuse;
} PaletteImage;

// Palette is the palette of an image.
typedef struct Palette Palette;

// imaging_palette_new chooses at most limit colours. If the image has no more, the palette has exactly those.
// Otherwise it is made by splitting the box with the largest variance at its mean (S. J. Wan, P. Prusinkiewicz
// and S. K. M. Wong, "Variance-based color image quantization", 1990), of colours that are multiplied by
// alpha, and improved by one step of k-means. It writes RGBA with straight alpha to colours, by ascending alpha,
// and their number to count. It returns NULL if it was stopped or memory is lacking.
Palette *imaging_palette_new(const PaletteImage *image, int limit, Stop stop, uint8_t colours[4 * MAX_PALETTE], int *count);

// imaging_palette_row writes the indices of the next row of the image, to be called row by row from y = 0 on.
// The index of pixels without a colour is the number of colours.
void imaging_palette_row(Palette *palette, const PaletteImage *image, int y, uint8_t *indices);

void imaging_palette_free(Palette *palette);
