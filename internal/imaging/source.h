// A libvips source that reads the parts of an encoded image.

#pragma once

#include <vips/vips.h>

#include "vips.h"

typedef struct {
	const EncodedImage *image;
	gint64 at, size; // the read position, and the size of all parts
	size_t left;     // how many more bytes the loader may read
} Source;

// imaging_source_new initializes s and returns a libvips source on it. s must outlive the
// source. If the file has one part, loaders that map files get it without a copy.
VipsSource *imaging_source_new(Source *s, const EncodedImage *image);

// imaging_source_end limits the bytes that the loader may still read to image->tail. The
// caller calls it before it reads the last rows.
void imaging_source_end(Source *s);
