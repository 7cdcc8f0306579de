#include "gorows.h"

#include <stdlib.h>

#include "rows.h"

// imaging_read_go_row is a function of Go that writes row y.
extern void imaging_read_go_row(uintptr_t reader, int y, uint8_t *row);

typedef struct {
	uintptr_t reader;
	uint8_t *row;
} GoRows;

static const uint8_t *next_row(void *from, int y) {
	GoRows *rows = from;
	imaging_read_go_row(rows->reader, y, rows->row);
	return rows->row;
}

int imaging_resample_rows(uintptr_t reader, int width, int height, int bands, Box box,
	const Weights *columns, const Weights *rows, Stop stop, uint8_t *out) {
	GoRows from = {reader, malloc((size_t)width * bands)};
	if (from.row == NULL) return -1;
	const Boxes boxes = {next_row, &from, width, height, bands, bands == 4, box.across, box.down};
	const int failed = imaging_resample_boxes(boxes, columns, rows, stop, out);
	free(from.row);
	return failed;
}
