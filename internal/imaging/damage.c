#include "damage.h"

#include <setjmp.h>

#include <jerror.h>

// Inspection is a decoder with its input and its finding.
typedef struct {
	struct jpeg_decompress_struct decoder;
	struct jpeg_source_mgr source;
	struct jpeg_error_mgr errors;
	struct jpeg_progress_mgr progress;
	jmp_buf failed;
	const Part *parts;
	int count, next;
	Stop stop;
	Damage damage;
} Inspection;

static Inspection *inspection_of(j_common_ptr decoder) { return decoder->client_data; }

static void end_with(j_common_ptr decoder, Damage damage) {
	inspection_of(decoder)->damage = damage;
	longjmp(inspection_of(decoder)->failed, 1);
}

// classify ends the decoding if a warning indicates damage. Surplus bytes are common after a
// scan, but before a restart marker they show that pixels were lost.
static void classify(j_common_ptr decoder, int level) {
	if (level >= 0) return;
	const int *parameters = decoder->err->msg_parm.i;
	switch (decoder->err->msg_code) {
	case JWRN_HIT_MARKER:
	case JWRN_JPEG_EOF:
		end_with(decoder, TRUNCATED);
		break;
	case JWRN_EXTRANEOUS_DATA:
		if (parameters[1] < 0xd0 || parameters[1] > 0xd7) break;
		// fall through
	case JWRN_HUFF_BAD_CODE:
	case JWRN_ARITH_BAD_CODE:
		end_with(decoder, CORRUPT);
		break;
	case JWRN_MUST_RESYNC:
		end_with(decoder, parameters[0] == JPEG_EOI ? TRUNCATED : CORRUPT);
		break;
	default: // odd scan parameters, versions and application segments
		break;
	}
}

static void abort_decoding(j_common_ptr decoder) { end_with(decoder, UNREADABLE); }

static void discard_message(j_common_ptr decoder) {}

// check_stop is called for each row of MCUs in each scan.
static void check_stop(j_common_ptr decoder) {
	if (imaging_stopped(inspection_of(decoder)->stop)) end_with(decoder, STOPPED);
}

static void do_nothing(j_decompress_ptr decoder) {}

// fill_input passes the next part to the decoder.
static boolean fill_input(j_decompress_ptr decoder) {
	static const JOCTET end[] = {0xff, JPEG_EOI};
	Inspection *i = inspection_of((j_common_ptr)decoder);
	if (imaging_stopped(i->stop)) end_with((j_common_ptr)decoder, STOPPED);
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

Damage imaging_read_jpeg(const Part *parts, int count, Stop stop, JpegWork work, void *user) {
	Inspection i = {.parts = parts, .count = count, .stop = stop, .damage = INTACT};
	i.progress.progress_monitor = check_stop;
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
		i.decoder.progress = &i.progress;
		i.damage = work(&i.decoder, stop, user);
	}
	jpeg_destroy_decompress(&i.decoder);
	return i.damage;
}
