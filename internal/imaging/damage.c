#include "damage.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>
#include <jerror.h>

// Inspection is a decoder with its input and its finding.
typedef struct {
	struct jpeg_decompress_struct decoder;
	struct jpeg_source_mgr source;
	struct jpeg_error_mgr errors;
	jmp_buf failed;
	const Part *parts;
	int count, next;
	Stop stop;
	Damage damage;
} Inspection;

static Inspection *inspection_of(j_common_ptr decoder) { return decoder->client_data; }

// classify sets the damage that a warning indicates. Surplus bytes are common after a scan,
// but before a restart marker they show that pixels were lost.
static void classify(j_common_ptr decoder, int level) {
	Inspection *i = inspection_of(decoder);
	if (level >= 0 || i->damage != INTACT) return;
	const int marker = decoder->err->msg_parm.i[1];
	switch (decoder->err->msg_code) {
	case JWRN_HIT_MARKER:
	case JWRN_JPEG_EOF:
		i->damage = TRUNCATED;
		break;
	case JWRN_EXTRANEOUS_DATA:
		if (marker < 0xd0 || marker > 0xd7) break;
		// fall through
	case JWRN_HUFF_BAD_CODE:
	case JWRN_ARITH_BAD_CODE:
		i->damage = CORRUPT;
		break;
	case JWRN_MUST_RESYNC:
		i->damage = decoder->err->msg_parm.i[0] == JPEG_EOI ? TRUNCATED : CORRUPT;
		break;
	default: // odd scan parameters, versions and application segments
		break;
	}
}

static void abort_decoding(j_common_ptr decoder) {
	if (inspection_of(decoder)->damage == INTACT) inspection_of(decoder)->damage = CORRUPT;
	longjmp(inspection_of(decoder)->failed, 1);
}

static void discard_message(j_common_ptr decoder) {}

static void do_nothing(j_decompress_ptr decoder) {}

// fill_input passes the next part to the decoder.
static boolean fill_input(j_decompress_ptr decoder) {
	static const JOCTET end[] = {0xff, JPEG_EOI};
	Inspection *i = inspection_of((j_common_ptr)decoder);
	if (imaging_stopped(i->stop)) {
		i->damage = STOPPED;
		longjmp(i->failed, 1);
	}
	while (i->next < i->count && i->parts[i->next].size == 0) i->next++;
	if (i->next < i->count) {
		const Part *part = &i->parts[i->next++];
		i->source.next_input_byte = part->data;
		i->source.bytes_in_buffer = part->size;
		return TRUE;
	}
	WARNMS(decoder, JWRN_JPEG_EOF);
	i->source.next_input_byte = end;
	i->source.bytes_in_buffer = sizeof end;
	return TRUE;
}

static void skip_input(j_decompress_ptr decoder, long n) {
	struct jpeg_source_mgr *s = decoder->src;
	while (n > (long)s->bytes_in_buffer) {
		n -= s->bytes_in_buffer;
		fill_input(decoder);
	}
	if (n > 0) s->next_input_byte += n, s->bytes_in_buffer -= n;
}

// decode_small decodes at one eighth of the size, which still reads all scans.
static void decode_small(Inspection *i) {
	struct jpeg_decompress_struct *d = &i->decoder;
	jpeg_read_header(d, TRUE);
	d->scale_num = 1, d->scale_denom = 8;
	d->out_color_space = d->jpeg_color_space;
	jpeg_start_decompress(d);
	JSAMPARRAY row = d->mem->alloc_sarray((j_common_ptr)d, JPOOL_IMAGE, d->output_width * d->output_components, 1);
	while (d->output_scanline < d->output_height && !imaging_stopped(i->stop)) jpeg_read_scanlines(d, row, 1);
	if (imaging_stopped(i->stop)) i->damage = STOPPED;
}

Damage imaging_jpeg_damage(const Part *parts, int count, Stop stop) {
	Inspection i = {.parts = parts, .count = count, .stop = stop, .damage = INTACT};
	i.decoder.err = jpeg_std_error(&i.errors);
	i.decoder.client_data = &i;
	i.errors.emit_message = classify;
	i.errors.error_exit = abort_decoding;
	i.errors.output_message = discard_message;
	if (setjmp(i.failed) == 0) {
		jpeg_create_decompress(&i.decoder);
		i.source = (struct jpeg_source_mgr){
			.init_source = do_nothing, .fill_input_buffer = fill_input, .skip_input_data = skip_input,
			.resync_to_restart = jpeg_resync_to_restart, .term_source = do_nothing,
		};
		i.decoder.src = &i.source;
		decode_small(&i);
	}
	jpeg_destroy_decompress(&i.decoder);
	return i.damage;
}
