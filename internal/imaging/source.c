#include "source.h"

#include <string.h>

// read_part copies up to length bytes, but not beyond the end of one part.
static size_t read_part(Source *s, char *buffer, size_t length) {
	size_t offset = s->at;
	int i = 0;
	for (; i < s->image->count && offset >= s->image->parts[i].size; i++) offset -= s->image->parts[i].size;
	if (i == s->image->count) return 0;
	const Part *part = &s->image->parts[i];
	const size_t n = VIPS_MIN(VIPS_MIN(length, part->size - offset), s->left);
	memcpy(buffer, (const char *)part->data + offset, n);
	s->at += n;
	s->left -= n;
	return n;
}

gint64 imaging_source_read(Source *s, char *buffer, gint64 length) {
	gint64 done = 0;
	while (done < length && !imaging_stopped(s->image->stop)) {
		const size_t n = read_part(s, buffer + done, length - done);
		done += n;
		if (n == 0 || s->image->codec == JPEG) break;
	}
	return done;
}

gint64 imaging_source_seek(Source *s, gint64 offset, int whence) {
	const gint64 to = offset + (whence == SEEK_CUR ? s->at : whence == SEEK_END ? s->size : 0);
	if (to < 0) return -1;
	return s->at = to;
}

static gint64 read_parts(VipsSourceCustom *custom, char *buffer, gint64 length, void *user) {
	return imaging_source_read(user, buffer, length);
}

static gint64 seek_parts(VipsSourceCustom *custom, gint64 offset, int whence, void *user) {
	return imaging_source_seek(user, offset, whence);
}

void imaging_source_begin(Source *s, const EncodedImage *image) {
	*s = (Source){.image = image, .left = SIZE_MAX};
	for (int i = 0; i < image->count; i++) s->size += image->parts[i].size;
}

VipsSource *imaging_source_new(Source *s, const EncodedImage *image) {
	imaging_source_begin(s, image);
	if ((image->codec == WEBP || image->codec == GIF) && image->count == 1)
		return vips_source_new_from_memory(image->parts[0].data, s->size);
	VipsSourceCustom *custom = vips_source_custom_new();
	g_signal_connect(custom, "read", G_CALLBACK(read_parts), s);
	g_signal_connect(custom, "seek", G_CALLBACK(seek_parts), s);
	return VIPS_SOURCE(custom);
}

void imaging_source_end(Source *s) {
	if (s->image->tail > 0) s->left = VIPS_MIN(s->left, s->image->tail);
}
