// A JPEG decoder that classifies damage, for which libjpeg only emits warnings.

#pragma once

#include <stddef.h>
#include <stdio.h>

#include <jpeglib.h>

#include "vips.h"

// Damage is the result of reading a JPEG. UNREADABLE means that libjpeg gave up.
typedef enum { INTACT, TRUNCATED, CORRUPT, UNREADABLE, STOPPED } Damage;

// JpegWork uses a decoder whose source is set. It returns INTACT or STOPPED. It may be left
// by a longjmp, so it allocates memory only from the decoder's pools.
typedef Damage (*JpegWork)(j_decompress_ptr decoder, Stop stop, void *user);

// imaging_read_jpeg calls work with a decoder that reads the parts. It ends work at the first
// warning that concerns pixels, and ignores other warnings.
Damage imaging_read_jpeg(const Part *parts, int count, Stop stop, JpegWork work, void *user);
