// Conversion of all colour spaces to sRGB.

#pragma once

#include <vips/vips.h>

// imaging_replace releases *image, sets it to made and returns 0.
int imaging_replace(VipsImage **image, VipsImage *made);

// imaging_has_profile reports whether the image has an embedded ICC profile.
int imaging_has_profile(VipsImage *image);

// imaging_drop_extra removes the extra channels after the colours, except for channel
// number alpha, counted from 1. If alpha is 0, it removes all of them.
int imaging_drop_extra(VipsImage **image, int extra, int alpha);

// imaging_unmultiply divides the colours of an RGB image by its alpha channel.
int imaging_unmultiply(VipsImage **image);

// imaging_from_ycc converts YCbCr of 8 bits to sRGB with a 3 × 4 matrix.
int imaging_from_ycc(VipsImage **image, const double matrix[12]);

// imaging_to_16_bits converts samples of 32 bits, and floats, to unsigned ones of 16 bits. Floats from 0 to
// 1 become all values of 16 bits, floats beyond are clipped, and NaN becomes 0. The lowest value of
// signed samples, also of 8 and 16 bits, becomes 0. It does not change Lab.
int imaging_to_16_bits(VipsImage **image);

// imaging_is_srgb reports whether the image is already sRGB of 8 bits with this number of
// channels. use_profile: an embedded profile counts.
int imaging_is_srgb(VipsImage *image, int use_profile, int channels);

// imaging_to_srgb converts the image to sRGB of 8 bits with 3 or 4 channels. If
// use_profile is 0, or the embedded profile does not fit or is broken, CMYK is converted
// with the profile built into libvips, and RGB and grey are taken as sRGB.
int imaging_to_srgb(VipsImage **image, int use_profile, int channels);
