// Huffman codes of a JPEG that fit a part of its rows. Files are up to 1 % larger than with
// optimal codes, which need all coefficients in memory and double the time of the encoder.

#pragma once

#include <stdio.h>

#include <jpeglib.h>

// imaging_extend_codes takes an encoder of 8 bits that has written a part of an image with
// optimized codes. It adds codes for all symbols that these lack.
void imaging_extend_codes(j_compress_ptr encoder);
