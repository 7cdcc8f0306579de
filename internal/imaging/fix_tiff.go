package imaging

import (
	"cmp"
	"context"
	"math"
	"slices"
)

// tiffVital are the tags that pixels depend on. Their values must lie in the file. Other
// tags are left out if their values do not.
var tiffVital = map[uint16]bool{
	tagWidth: true, tagHeight: true, tagBits: true, tagCompression: true, tagPhotometric: true, tagStripOffsets: true,
	tagSamplesPerPixel: true, tagRowsPerStrip: true, tagStripByteCounts: true, tagPlanar: true, tagPredictor: true,
	tagPalette: true, tagTileWidth: true, tagTileHeight: true, tagTileOffsets: true, tagTileByteCounts: true,
	tagInkSet: true, tagInkNames: true, tagExtraSamples: true, tagSampleFormat: true,
	tagJPEGTables: true, tagLuma: true, tagSubsampling: true, tagPositioning: true, tagReference: true,
}

// Tags of TIFF 6.0 that only the decoder reads.
const (
	tagPredictor   = 317
	tagPalette     = 320
	tagInkNames    = 333
	tagPositioning = 531
)

// tiffFixes collects the bytes of a TIFF that are replaced for the decoder.
type tiffFixes struct {
	data   []byte
	form   tiffForm
	at     int64 // the offset of the directory
	header *Header
	fixes  []tiffFix
}

type tiffFix struct {
	at    int64
	bytes []byte
}

// replace replaces the bytes at an offset for the decoder.
func (t *tiffFixes) replace(at int64, bytes []byte) { t.fixes = append(t.fixes, tiffFix{at, bytes}) }

// entry returns the offset of entry i.
func (t *tiffFixes) entry(i int) int64 { return t.at + t.form.counter + t.form.entry*int64(i) }

// blank replaces entry i by an entry of a single byte, with a tag of its own that means nothing.
func (t *tiffFixes) blank(i int, fault string) {
	t.header.repair(fault)
	entry := make([]byte, t.form.entry)
	t.form.PutUint16(entry, uint16(math.MaxUint16-i))
	t.form.PutUint16(entry[2:], tiffByte)
	if t.form.field == 8 {
		t.form.PutUint64(entry[4:], 1)
	} else {
		t.form.PutUint32(entry[4:], 1)
	}
	t.replace(t.entry(i), entry)
}

// finish sets the header from the fields and completes the parts that the decoder reads.
func (t *tiffFixes) finish(entries []directoryEntry, fields tiffFields) error {
	h := t.header
	h.Width, h.Height = fields.number(tagWidth, 0), fields.number(tagHeight, 0)
	h.Orientation = fields.number(tagOrientation, 1)
	h.exif, h.density = t.data, fields.density()
	h.metadata.readTIFF(t.data, t.form, entries)
	if err := fields.samples(h); err != nil {
		return err
	}
	held, size := int64(0), int64(len(t.data))
	for _, e := range entries {
		held += min(e.size(), size)
	}
	if held > 2*size { // libtiff copies the values of all entries
		return invalid("corrupt tiff: its entries overlap")
	}
	for _, tags := range [][2]uint16{{tagStripOffsets, tagStripByteCounts}, {tagTileOffsets, tagTileByteCounts}} {
		i := slices.IndexFunc(entries, func(e directoryEntry) bool { return e.tag == tags[1] })
		if err := t.checkStrips(fields, tags, i, entries); err != nil {
			return err
		}
	}
	if fields.number(tagCompression, 1) == compressionJPEG {
		h.inspect = func(ctx context.Context) error { return t.checkJPEGs(ctx, entries, fields) }
	}
	return t.apply()
}

const compressionNone = 1

// checkStrips checks that all strips or tiles lie in the file. tags are the tags of their
// offsets and sizes; entry i has the sizes. The size of a strip that ends
// beyond the file is reduced. The decoder then reports missing data; for uncompressed data,
// checkStrips does.
func (t *tiffFixes) checkStrips(f tiffFields, tags [2]uint16, i int, entries []directoryEntry) error {
	offsets, counts, size := f[tags[0]], f[tags[1]], int64(len(t.data))
	plain := f.number(tagCompression, compressionNone) == compressionNone
	if i < 0 && plain && tags[0] == tagStripOffsets {
		return t.checkUnsized(f, offsets)
	}
	if len(offsets) != len(counts) {
		return invalid("corrupt tiff: strips without sizes")
	}
	total := int64(0)
	for k, from := range offsets {
		if int64(from) < t.form.header {
			return truncated(TIFF)
		}
		left := size - int64(from)
		if left < int64(counts[k]) {
			if left <= 0 || tags[0] != tagStripOffsets || plain && left < f.stripSize(k) {
				return truncated(TIFF)
			}
			t.header.repair("the size of its image data was too large")
			t.setNumber(entries[i], i, k, uint32(left))
			counts[k] = uint32(left)
		}
		total += int64(counts[k])
	}
	if total > 4*size+1<<20 { // strips may share bytes, but the decoder reads each one
		return invalid("corrupt tiff: its strips overlap")
	}
	return nil
}

// checkUnsized checks strips without sizes. libtiff computes the sizes.
func (t *tiffFixes) checkUnsized(f tiffFields, offsets []uint32) error {
	for k, from := range offsets {
		if int64(from)+f.stripSize(k) > int64(len(t.data)) {
			return truncated(TIFF)
		}
		t.header.repair("the size of its image data was missing")
	}
	return nil
}

// stripSize returns the size of uncompressed strip k in bytes.
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

// setNumber replaces value k of entry e, number i, by a smaller one for the decoder.
func (t *tiffFixes) setNumber(e directoryEntry, i, k int, value uint32) {
	where := t.entry(i+1) - t.form.field
	if !e.isInline() {
		where = t.form.offset(e.value)
	}
	number := make([]byte, sizes[e.kind])
	switch e.kind {
	case tiffShort:
		t.form.PutUint16(number, uint16(value))
	case tiffLong:
		t.form.PutUint32(number, value)
	case tiffLong8:
		t.form.PutUint64(number, uint64(value))
	default:
		number[0] = byte(value)
	}
	t.replace(where+int64(k*len(number)), number)
}

// maxFixes is the maximum number of replacements.
const maxFixes = 64

// apply splits the file into parts around the replaced bytes.
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

// checkJPEGs checks the strips or tiles of a TIFF that are JPEGs. Their tables may be in a
// separate tag. libtiff does not report damage.
func (t *tiffFixes) checkJPEGs(ctx context.Context, entries []directoryEntry, f tiffFields) error {
	var tables []byte
	for _, e := range entries {
		if e.tag == tagJPEGTables {
			tables = e.bytes(t.data, t.form)
		}
	}
	for _, tags := range [][2]uint16{{tagStripOffsets, tagStripByteCounts}, {tagTileOffsets, tagTileByteCounts}} {
		for k, from := range f[tags[0]] {
			jpeg := t.data[from : int64(from)+int64(f[tags[1]][k])]
			parts := [][]byte{jpeg, {0xff, jpegEnd}}
			if len(tables) > 4 && len(jpeg) > 2 { // without the end and start markers in between
				parts = [][]byte{tables[:len(tables)-2], jpeg[2:], {0xff, jpegEnd}}
			}
			if err := jpegDamage(ctx, TIFF, parts); err != nil {
				return err
			}
		}
	}
	return nil
}
