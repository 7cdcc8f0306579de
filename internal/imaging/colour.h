// Colours: from whatever an image is stored in to sRGB.

#pragma once

#include <vips/vips.h>

// imaging_replace releases an image in favour of the one made from it. It returns 0.
int imaging_replace(VipsImage **image, VipsImage *made);

// imaging_has_profile reports whether an ICC profile is embedded.
int imaging_has_profile(VipsImage *image);

// imaging_drop_extra keeps, of the extra channels behind the colours, the alpha-th
// alone, counted from 1; 0 is none.
int imaging_drop_extra(VipsImage **image, int extra, int alpha);

// imaging_from_ycc converts YCbCr with 8 bits by a matrix of 3 × 4.
int imaging_from_ycc(VipsImage **image, const double matrix[12]);

// imaging_is_srgb reports whether an image is sRGB with 8 bits and this number of
// channels already. managed means that its profile counts.
int imaging_is_srgb(VipsImage *image, int managed, int channels);

// imaging_to_srgb converts an image to sRGB with 8 bits and 3 or 4 channels. Where
// its profile does not count, does not fit or cannot be used, inks are converted by
// the profile built into libvips, and all others are taken as sRGB or its grey.
int imaging_to_srgb(VipsImage **image, int managed, int channels);
