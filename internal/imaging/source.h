// A source for libvips and libtiff that reads the parts of an encoded image.

#pragma once

#include <vips/vips.h>

#include "vips.h"

typedef struct {
	const EncodedImage *image;
	gint64 at, size; // the read position, and the size of all parts
	size_t left;     // how many more bytes the loader may read
} Source;

// imaging_source_begin initializes s.
void imaging_source_begin(Source *s, const EncodedImage *image);

// imaging_source_read copies length bytes, since libtiff does not accept fewer. For a JPEG it
// copies from one part only, so that a stop takes effect between two scans. It returns 0, as at
// the end of the file, if the call was stopped.
gint64 imaging_source_read(Source *s, char *buffer, gint64 length);

// imaging_source_seek moves the read position like lseek.
gint64 imaging_source_seek(Source *s, gint64 offset, int whence);

// imaging_source_new initializes s and returns a libvips source on it. s must outlive the
// source. If the file has one part, loaders that map files get it without a copy.
VipsSource *imaging_source_new(Source *s, const EncodedImage *image);

// imaging_source_end limits the bytes that the loader may still read to image->tail. The
// caller calls it before it reads the last rows.
void imaging_source_end(Source *s);
