// Source feeds the bytes of an encoded image to a libvips loader, part by part.

#pragma once

#include <vips/vips.h>

#include "vips.h"

typedef struct {
	const Picture *image;
	gint64 at, size; // where the loader reads next, and where the file ends
	size_t left;     // the loader may read so many more bytes
} Source;

// imaging_source_new returns a libvips source. The Source must live as long. Loaders
// that map the file get it as it lies in memory where it has one part.
VipsSource *imaging_source_new(Source *s, const Picture *image);

// imaging_source_end bounds the bytes that the loader may still read, when it is
// about to read the last rows.
void imaging_source_end(Source *s);
