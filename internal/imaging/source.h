// Source feeds the bytes of an encoded image to a libvips loader, part by part.

#pragma once

#include <vips/vips.h>

#include "vips.h"

typedef struct {
	const Picture *image;
	int part;      // the index of the part that is read next
	size_t offset; // within that part
	size_t left;   // the loader may read so many more bytes
} Source;

// imaging_source_new returns a libvips source. The Source must live as long.
VipsSource *imaging_source_new(Source *s, const Picture *image);

// imaging_source_end bounds the bytes that the loader may still read, when it is
// about to read the last rows.
void imaging_source_end(Source *s);
