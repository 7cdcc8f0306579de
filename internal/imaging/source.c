#include "source.h"

#include <string.h>

#include "stop.h"

// read_parts gives at most the rest of one part, so that work between two parts can
// be stopped. It returns 0, as at the end, when the call is to stop.
static gint64 read_parts(VipsSourceCustom *custom, void *buffer, gint64 length, void *user) {
	Source *s = user;
	if (imaging_stopped(s->image->stop)) return 0;
	while (s->part < s->image->count && s->offset == s->image->parts[s->part].size) s->part++, s->offset = 0;
	if (s->part == s->image->count) return 0;
	const Part *part = &s->image->parts[s->part];
	const size_t n = VIPS_MIN(VIPS_MIN((size_t)length, part->size - s->offset), s->left);
	memcpy(buffer, (const char *)part->data + s->offset, n);
	s->offset += n;
	s->left -= n;
	return n;
}

VipsSource *imaging_source_new(Source *s, const Picture *image) {
	*s = (Source){.image = image, .left = SIZE_MAX};
	VipsSourceCustom *custom = vips_source_custom_new();
	g_signal_connect(custom, "read", G_CALLBACK(read_parts), s);
	return VIPS_SOURCE(custom);
}

void imaging_source_end(Source *s) {
	if (s->image->tail > 0) s->left = VIPS_MIN(s->left, s->image->tail);
}
