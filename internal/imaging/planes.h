// JPEGs as planes: their components as they are stored, without upsampling and without
// conversion of colours.

#pragma once

#include "damage.h"
#include "floats.h"
#include "plane.h"
#include "resample8.h"

enum { MAX_PLANES = 3 };

// PlaneSink receives the next count rows of a plane. Behind each row, bytes up to the next
// multiple of 64 are readable.
typedef void (*PlaneSink)(void *to, int plane, uint8_t *const *rows, int count);

// PlaneSource describes a JPEG of 1 to MAX_PLANES components. The decoder shrinks the image
// to scale/8, with scale in 1 … 8. sizes are the sizes of its planes after that.
typedef struct {
	const Part *parts;
	int count, scale, planes;
	const Plane *sizes;
} PlaneSource;

// imaging_read_planes decodes a JPEG and passes the rows of its planes to the sink, from the
// top down. The planes take turns after each row of MCUs. It returns UNREADABLE if the planes
// have other sizes.
Damage imaging_read_planes(const PlaneSource *source, PlaneSink sink, void *to, Stop stop);

// imaging_decode_planes decodes a JPEG into the samples of source->sizes.
Damage imaging_decode_planes(const PlaneSource *source, Stop stop);

// PlaneTarget is the plane to which a plane is resampled, and its weights.
typedef struct {
	uint8_t *samples;
	const Weights8 *columns, *rows;
} PlaneTarget;

// imaging_resample_planes decodes a JPEG and resamples its planes row by row, so that the
// decoded planes are never in memory as a whole.
Damage imaging_resample_planes(const PlaneSource *source, const PlaneTarget *targets, Stop stop);

// imaging_resample_to_floats is imaging_resample_planes for planes that become the same size, and
// converts them to floats. The samples of the targets are not used.
Damage imaging_resample_to_floats(const PlaneSource *source, const PlaneTarget *targets, const FloatPlanes *to, Stop stop);

// imaging_halve_plane sets the samples of the second of two planes to the means of 2 x 2 samples of the first one. It has
// half the samples along both sides, rounded up.
void imaging_halve_plane(const Plane planes[2]);

// imaging_resample_plane resamples the first of two planes to the second one. It returns 0, or
// -1 if it was stopped.
int imaging_resample_plane(const Plane planes[2], const Weights8 *columns, const Weights8 *rows, Stop stop);

// imaging_check_jpeg decodes all scans of a JPEG at one eighth of its size.
Damage imaging_check_jpeg(const Part *parts, int count, Stop stop);

// JpegWriting uses an encoder whose destination is set. It may be left by a longjmp, so it
// allocates memory only from the encoder's pools.
typedef void (*JpegWriting)(j_compress_ptr encoder, void *user);

// imaging_write_jpeg calls work with an encoder. The caller frees *data with free. It returns
// 0, or -1 if it failed or was stopped.
int imaging_write_jpeg(JpegWriting work, void *user, Stop stop, unsigned char **data, unsigned long *size);

// JpegOutput are the options of imaging_write_planes. quality is in 1 … 100.
typedef struct {
	int width, height, quality, progressive;
} JpegOutput;

// imaging_write_planes encodes 1 plane of grey or 3 planes of YCbCr. A plane has
// ⌈width · across / largest across⌉ × ⌈height · down / largest down⌉ samples. The file has no
// JFIF segment. The caller frees *data with free. It returns 0, or -1 if it failed.
int imaging_write_planes(const Plane *planes, int count, const JpegOutput *output, Stop stop,
	unsigned char **data, unsigned long *size);
