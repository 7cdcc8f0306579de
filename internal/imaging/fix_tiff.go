package imaging

import (
	"cmp"
	"context"
	"encoding/binary"
	"slices"
)

// tiffVital are the tags without which pixels have no meaning: their values must lie
// in the file. All other tags can be done without.
var tiffVital = map[uint16]bool{
	tagWidth: true, tagHeight: true, tagBits: true, tagCompression: true, tagPhotometric: true, tagStripOffsets: true,
	tagSamplesPerPixel: true, tagRowsPerStrip: true, tagStripByteCounts: true, tagPlanar: true, 317: true, // predictor
	320:          true, // colours of a palette
	tagTileWidth: true, tagTileHeight: true, tagTileOffsets: true, tagTileByteCounts: true,
	tagInkSet: true, 333: true, // inks
	tagExtraSamples: true, tagSampleFormat: true,
	tagJPEGTables: true, tagLuma: true, tagSubsampling: true, 531: true, tagReference: true,
}

// tiffFixes are the bytes of a TIFF that the decoder sees otherwise than they are.
type tiffFixes struct {
	data   []byte
	order  binary.ByteOrder
	header *Header
	fixes  []tiffFix
}

type tiffFix struct {
	at    int64
	bytes []byte
}

// put has the decoder see other bytes at a place.
func (t *tiffFixes) put(at int64, bytes []byte) { t.fixes = append(t.fixes, tiffFix{at, bytes}) }

// blank makes the entry at a place one of a single byte.
func (t *tiffFixes) blank(at int64) {
	t.header.repair("a tag whose value lies outside the file was left out")
	entry := make([]byte, 10)
	t.order.PutUint16(entry, 1)
	t.order.PutUint32(entry[2:], 1)
	t.put(at+2, entry)
}

// finish reads the header from the fields and completes what the decoder sees.
func (t *tiffFixes) finish(entries []directoryEntry, at int64, fields tiffFields) error {
	h := t.header
	h.Width, h.Height = fields.number(tagWidth, 0), fields.number(tagHeight, 0)
	h.Orientation = fields.number(tagOrientation, 1)
	h.density = fields.density()
	if err := fields.samples(h); err != nil {
		return err
	}
	held, size := int64(0), int64(len(t.data))
	for _, e := range entries {
		held += min(e.size(), size)
	}
	if held > 2*size { // as if each byte were in two: libtiff copies them all
		return invalid("corrupt tiff: its entries overlap")
	}
	for _, tags := range [][2]uint16{{tagStripOffsets, tagStripByteCounts}, {tagTileOffsets, tagTileByteCounts}} {
		i := slices.IndexFunc(entries, func(e directoryEntry) bool { return e.tag == tags[1] })
		if err := t.locate(fields, tags, i, entries, at+2+12*int64(i)); err != nil {
			return err
		}
	}
	if fields.number(tagCompression, 1) == compressionJPEG {
		h.inspect = func(ctx context.Context) error { return t.jpegs(ctx, entries, fields) }
	}
	return t.apply()
}

const (
	compressionNone = 1
	tiffHeaderBytes = 8
)

// locate checks that all strips or tiles lie in the file. A size that reaches beyond
// the file is cut down to it; whether that is enough is then for the decoder to say,
// or known where nothing is compressed. Entry i, at a place, has the sizes.
func (t *tiffFixes) locate(f tiffFields, tags [2]uint16, i int, entries []directoryEntry, at int64) error {
	offsets, counts, size := f[tags[0]], f[tags[1]], int64(len(t.data))
	plain := f.number(tagCompression, compressionNone) == compressionNone
	if i < 0 && plain && tags[0] == tagStripOffsets {
		return t.unsized(f, offsets)
	}
	if len(offsets) != len(counts) {
		return invalid("corrupt tiff: strips without sizes")
	}
	total := int64(0)
	for k, from := range offsets {
		if from < tiffHeaderBytes {
			return truncated(TIFF)
		}
		left := size - int64(from)
		if left < int64(counts[k]) {
			if left <= 0 || tags[0] != tagStripOffsets || plain && left < f.stripSize(k) {
				return truncated(TIFF)
			}
			t.header.repair("the size of its image data was too large")
			t.setNumber(entries[i], at, k, uint32(left))
			counts[k] = uint32(left)
		}
		total += int64(counts[k])
	}
	if total > 4*size+1<<20 { // some share a blank strip, but each is read anew
		return invalid("corrupt tiff: its strips overlap")
	}
	return nil
}

// unsized checks strips whose sizes are missing, which libtiff works out.
func (t *tiffFixes) unsized(f tiffFields, offsets []uint32) error {
	for k, from := range offsets {
		if int64(from)+f.stripSize(k) > int64(len(t.data)) {
			return truncated(TIFF)
		}
		t.header.repair("the size of its image data was missing")
	}
	return nil
}

// stripSize returns how many bytes the k-th strip has where it is not compressed.
func (f tiffFields) stripSize(k int) int64 {
	samples := int64(f.number(tagSamplesPerPixel, 1))
	bits := int64(1)
	if len(f[tagBits]) > 0 {
		bits = int64(f[tagBits][0])
	}
	height := int64(f.number(tagHeight, 0))
	rows := min(int64(f.number(tagRowsPerStrip, 1<<31)), height)
	if f.number(tagPlanar, 1) == 2 {
		samples = 1
	} else {
		rows = min(rows, height-rows*int64(k))
	}
	return (int64(f.number(tagWidth, 0))*samples*bits + 7) / 8 * max(rows, 0)
}

// setNumber has the decoder see another k-th value in the entry at a place.
func (t *tiffFixes) setNumber(e directoryEntry, at int64, k int, value uint32) {
	where := at + 8
	if e.size() > 4 {
		where = int64(t.order.Uint32(e.value))
	}
	if e.kind == tiffShort {
		number := make([]byte, 2)
		t.order.PutUint16(number, uint16(value)) // less than it was
		t.put(where+2*int64(k), number)
		return
	}
	number := make([]byte, 4)
	t.order.PutUint32(number, value)
	t.put(where+4*int64(k), number)
}

// maxFixes bounds the bytes that are fixed one by one.
const maxFixes = 64

// apply cuts the file into parts around what is fixed.
func (t *tiffFixes) apply() error {
	if len(t.fixes) > maxFixes {
		return invalid("corrupt tiff: too much of it lies outside the file")
	}
	slices.SortFunc(t.fixes, func(a, b tiffFix) int { return cmp.Compare(a.at, b.at) })
	h, at := t.header, int64(0)
	for _, fix := range t.fixes {
		if fix.at < at {
			return invalid("corrupt tiff: its entries overlap")
		}
		h.keep(t.data, at, fix.at)
		h.parts = append(h.parts, fix.bytes)
		at = fix.at + int64(len(fix.bytes))
	}
	h.keep(t.data, at, int64(len(t.data)))
	return nil
}

// jpegs checks the strips or tiles of a TIFF that are JPEGs, whose tables may stand
// apart. libtiff minds no damage.
func (t *tiffFixes) jpegs(ctx context.Context, entries []directoryEntry, f tiffFields) error {
	var tables []byte
	for _, e := range entries {
		if e.tag == tagJPEGTables {
			tables = e.bytes(t.data, t.order)
		}
	}
	for _, tags := range [][2]uint16{{tagStripOffsets, tagStripByteCounts}, {tagTileOffsets, tagTileByteCounts}} {
		for k, from := range f[tags[0]] {
			jpeg := t.data[from : int64(from)+int64(f[tags[1]][k])]
			parts := [][]byte{jpeg, {0xff, jpegEnd}}
			if len(tables) > 4 && len(jpeg) > 2 { // without the end of the one and the start of the other
				parts = [][]byte{tables[:len(tables)-2], jpeg[2:], {0xff, jpegEnd}}
			}
			if err := jpegDamage(ctx, TIFF, parts); err != nil {
				return err
			}
		}
	}
	return nil
}
