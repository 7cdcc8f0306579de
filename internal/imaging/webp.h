// Lossless WebPs, and lossy ones as planes: Y, Cb and Cr of ITU-R BT.601 in the limited range, sampled 4:2:0 with
// the colours at the centre of four pixels.

#pragma once

#include <stddef.h>
#include <stdint.h>

#include "planes.h"
#include "stop.h"

// imaging_resample_webp decodes a lossy WebP of width × height pixels without animation and
// resamples its three planes, without its alpha. It checks stop between parts of the file. It
// returns 0, or -1 if it was stopped, memory ran out, or the file has any fault.
int imaging_resample_webp(const uint8_t *file, size_t size, int width, int height, const PlaneTarget *targets,
	Stop stop);

// imaging_write_webp encodes three planes sampled 4:2:0 as a lossy WebP, with the settings of
// libvips. quality is in 1 … 100. The caller frees *data with free. It returns 0, or -1 if it
// failed or was stopped.
int imaging_write_webp(const Plane *planes, int width, int height, int quality, Stop stop, uint8_t **data,
	size_t *size);

// imaging_write_lossless_webp encodes width × height pixels with 3 or 4 channels. Other than libvips, it
// keeps the colours of transparent pixels. Otherwise it is like imaging_write_webp.
int imaging_write_lossless_webp(const uint8_t *pixels, int width, int height, int channels, int quality, Stop stop,
	uint8_t **data, size_t *size);
