// Damage to the image data of a JPEG, which libjpeg only warns about.

#pragma once

#include <stddef.h>

#include "vips.h"

typedef enum { WHOLE, TRUNCATED, CORRUPT, STOPPED } Damage;

// imaging_jpeg_damage decodes a JPEG for its warnings alone. Warnings that say
// nothing about pixels are ignored.
Damage imaging_jpeg_damage(const Part *parts, int count, Stop stop);
