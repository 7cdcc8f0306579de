// Separable resampling of planes of bytes with integer weights. The results are the same on
// every CPU. It serves planes as resample.h serves pixels.

#pragma once

#include <stddef.h>
#include <stdint.h>

// WEIGHT_BITS is the number of fraction bits of a weight.
enum { WEIGHT_BITS = 14 };

// ROW_ALIGNMENT is the multiple of bytes up to which a row must be readable, since vectors read
// beyond its end.
enum { ROW_ALIGNMENT = 64 };

// aligned returns the size of memory for a row of n bytes.
static inline size_t aligned(size_t n) { return (n + ROW_ALIGNMENT - 1) / ROW_ALIGNMENT * ROW_ALIGNMENT; }

// Weights8 are Weights (resample.h) in fixed point: the count weights of an output sum to
// exactly 1 << WEIGHT_BITS. The sum of their absolute values is at most twice that.
typedef struct {
	int outputs, count;
	const int32_t *first;
	const int16_t *weights;
} Weights8;

typedef struct Resample8 Resample8;

// imaging_resample8_new returns a resampler of rows of bytes. It writes rows->outputs
// rows of columns->outputs bytes to out, stride bytes apart, rounded to the nearest integer and
// clamped to 0 … 255. Bytes that no output needs cost no arithmetic. It keeps no weights. It
// returns NULL if memory ran out.
Resample8 *imaging_resample8_new(const Weights8 *columns, const Weights8 *rows, uint8_t *out, size_t stride);

// imaging_resample8_push pushes the next n input rows. Each is readable up to the next multiple of
// ROW_ALIGNMENT bytes. It returns the number of output rows written so far: all
// whose last input is pushed. Rows after the last input are ignored.
int imaging_resample8_push(Resample8 *r, uint8_t *const *rows, int n);

// imaging_resample8_free frees a resampler, or does nothing for NULL.
void imaging_resample8_free(Resample8 *r);
