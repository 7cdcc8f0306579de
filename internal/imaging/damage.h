// Detection of damaged JPEG image data, for which libjpeg only emits warnings.

#pragma once

#include <stddef.h>

#include "vips.h"

typedef enum { INTACT, TRUNCATED, CORRUPT, STOPPED } Damage;

// imaging_jpeg_damage decodes a JPEG and classifies libjpeg's warnings. Warnings that do
// not concern pixels are ignored.
Damage imaging_jpeg_damage(const Part *parts, int count, Stop stop);
