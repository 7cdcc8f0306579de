package imaging

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
)

// Tags and types of TIFF 6.0.
const (
	tagWidth           = 256
	tagHeight          = 257
	tagBits            = 258
	tagPhotometric     = 262
	tagStripOffsets    = 273
	tagOrientation     = 274
	tagSamplesPerPixel = 277
	tagRowsPerStrip    = 278
	tagStripByteCounts = 279
	tagTileWidth       = 322
	tagTileHeight      = 323
	tagTileOffsets     = 324
	tagTileByteCounts  = 325
	tagJPEGTables      = 347
	tagProfile         = 34675

	tiffByte       = 1
	tiffASCII      = 2
	tiffShort      = 3
	tiffLong       = 4
	tiffRational   = 5
	tiffUndefined  = 7
	tiffSignedLong = 9
	tiffIFD        = 13 // an offset of a directory
	tiffLong8      = 16 // of BigTIFF
)

// tiffForm is the byte order of a TIFF and the sizes in bytes of the parts of a directory.
type tiffForm struct {
	binary.ByteOrder
	// header is the size of the header, counter of the number of entries, entry of an entry, and
	// field of an entry's value or offset.
	header, counter, entry, field int64
}

// formOf returns the form of a TIFF of at least 8 bytes, TIFF 6.0 or BigTIFF.
func formOf(data []byte) tiffForm {
	form := tiffForm{binary.LittleEndian, 8, 2, 12, 4}
	if data[0] == 'M' {
		form.ByteOrder = binary.BigEndian
	}
	if form.Uint16(data[2:]) == bigTIFF {
		form.header, form.counter, form.entry, form.field = 16, 8, 20, 8
	}
	return form
}

// bigTIFF is the version number of a BigTIFF.
const bigTIFF = 43

// offset parses an offset in a field. No file is as long as the maximum.
func (f tiffForm) offset(field []byte) int64 {
	if len(field) < 8 {
		return int64(f.Uint32(field))
	}
	return int64(min(f.Uint64(field), 1<<50))
}

// directoryEntry is an entry of a TIFF directory. value is its field of four bytes, or of eight in
// a BigTIFF.
type directoryEntry struct {
	tag, kind uint16
	count     int64
	value     []byte
}

// maxEntries is the maximum size of a directory. Real ones have a few dozen entries.
const maxEntries = 1024

var errDirectory = errors.New("no directory")

// firstDirectory parses the first image file directory of a TIFF structure.
func firstDirectory(data []byte) ([]directoryEntry, tiffForm, error) {
	if len(data) < 8 {
		return nil, tiffForm{}, errDirectory
	}
	form := formOf(data)
	entries, _, err := form.directory(data, form.first(data))
	return entries, form, err
}

// first returns the offset of the first directory, or one outside of the file if the header is
// truncated.
func (f tiffForm) first(data []byte) int64 {
	if int64(len(data)) < f.header {
		return f.header
	}
	return f.offset(data[f.header-f.field : f.header])
}

// directory parses an image file directory and returns the offset of the next one, or 0
// after the last.
func (f tiffForm) directory(data []byte, at int64) (entries []directoryEntry, next int64, err error) {
	n, at, err := f.length(data, at)
	if err != nil {
		return nil, 0, err
	}
	entries = make([]directoryEntry, n)
	for i := range entries {
		e := data[at+f.entry*int64(i):][:f.entry]
		value := f.entry - f.field
		entries[i] = directoryEntry{f.Uint16(e), f.Uint16(e[2:]), f.offset(e[4:value]), e[value:]}
	}
	return entries, f.next(data, at+f.entry*n), nil
}

// sizes are the sizes of the TIFF types in bytes.
var sizes = [...]int64{
	1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8,
}

// size returns the size of an entry's value in bytes.
func (e directoryEntry) size() int64 {
	if int(e.kind) >= len(sizes) {
		return 0
	}
	return sizes[e.kind] * e.count
}

// maxValues is the maximum number of values of an entry. An image with the smallest tiles has
// fewer.
const maxValues = 1 << 20

// numbers returns the values of an entry of unsigned integers. Numbers above 32 bits become the
// maximum: no size or offset is as large.
func (e directoryEntry) numbers(data []byte, form tiffForm) ([]uint32, error) {
	if e.kind != tiffByte && e.kind != tiffShort && e.kind != tiffLong && e.kind != tiffLong8 || e.count > maxValues {
		return nil, errDirectory
	}
	field, err := e.content(data, form)
	if err != nil {
		return nil, err
	}
	values := make([]uint32, e.count)
	for i := range values {
		switch e.kind {
		case tiffByte:
			values[i] = uint32(field[i])
		case tiffShort:
			values[i] = uint32(form.Uint16(field[2*i:]))
		case tiffLong:
			values[i] = form.Uint32(field[4*i:])
		default:
			values[i] = uint32(min(form.Uint64(field[8*i:]), math.MaxUint32))
		}
	}
	return values, nil
}

// isInline reports whether the values of an entry are in its field, not elsewhere in the file.
func (e directoryEntry) isInline() bool { return e.size() <= int64(len(e.value)) }

// isInside reports whether the values of an entry lie in a file of size bytes.
func (e directoryEntry) isInside(size int64, form tiffForm) bool {
	return e.isInline() || form.offset(e.value)+e.size() <= size
}

// content returns the values of an entry as bytes.
func (e directoryEntry) content(data []byte, form tiffForm) ([]byte, error) {
	switch {
	case e.isInline():
		return e.value[:e.size()], nil
	case !e.isInside(int64(len(data)), form):
		return nil, errDirectory
	}
	at := form.offset(e.value)
	return data[at : at+e.size()], nil
}

// bytes returns the values of an entry of bytes, or nil if they are not in the file.
func (e directoryEntry) bytes(data []byte, form tiffForm) []byte {
	e.kind = tiffByte
	content, _ := e.content(data, form)
	return content
}

// ratios returns the numerators and denominators of an entry of rationals, or nil for other
// entries.
func (e directoryEntry) ratios(data []byte, form tiffForm) []uint32 {
	if e.kind != tiffRational || e.count > maxRatios {
		return nil
	}
	content, err := e.content(data, form)
	if err != nil {
		return nil
	}
	values := make([]uint32, 2*e.count)
	for i := range values {
		values[i] = form.Uint32(content[4*i:])
	}
	return values
}

// maxRatios is the maximum number of rationals of an entry.
const maxRatios = 6

// parseTIFF parses the first page.
func parseTIFF(data []byte, h *Header) error { return parseTIFFPage(data, h, 0) }

// parseTIFFPage parses the directory of a page and checks that all of its strips or tiles lie in the
// file. It hides the other directories from the decoder.
func parseTIFFPage(data []byte, h *Header, page int) error {
	if len(data) < 8 {
		return truncated(TIFF)
	}
	form := formOf(data)
	if name := rawName(data, form); name != "" {
		return unsupported(name)
	}
	fix := tiffFixes{data: data, form: form, header: h}
	entries, err := fix.begin(page)
	if err != nil {
		return err
	}
	fields := tiffFields{}
	for i, e := range entries {
		if _, twice := fields[e.tag]; twice {
			if tiffVital[e.tag] { // libtiff may choose the other one
				return invalid("corrupt tiff: tag %d twice", e.tag)
			}
			fix.blank(i, "a repeated tag was left out")
			continue
		}
		fields[e.tag] = nil
		if !e.isInside(int64(len(data)), form) {
			if tiffVital[e.tag] {
				return truncated(TIFF)
			}
			fix.blank(i, "a tag whose value lies outside the file was left out")
			continue
		}
		if e.tag == tagProfile {
			h.setProfile(e.bytes(data, form))
		}
		if fields[e.tag], err = e.values(data, form); err != nil {
			return truncated(TIFF)
		}
	}
	return fix.finish(entries, fields)
}

// values returns the values of an entry with a tag that parseTIFF reads, or nil.
func (e directoryEntry) values(data []byte, form tiffForm) ([]uint32, error) {
	switch {
	case slices.Contains(tiffRatios, e.tag):
		return e.ratios(data, form), nil
	case slices.Contains(tiffTags, e.tag):
		return e.numbers(data, form)
	}
	return nil, nil
}

// tiffTags are the tags whose values parseTIFF reads.
var tiffTags = []uint16{
	tagWidth, tagHeight, tagBits, tagPhotometric, tagOrientation, tagSamplesPerPixel, tagTileWidth, tagTileHeight,
	tagStripOffsets, tagStripByteCounts, tagTileOffsets, tagTileByteCounts,
	tagCompression, tagRowsPerStrip, tagPlanar, tagInkSet, tagExtraSamples, tagSampleFormat, tagSubsampling, tagUnit,
}

// tiffRatios are the tags of rationals that parseTIFF reads.
var tiffRatios = []uint16{tagLuma, tagReference, tagAcross, tagDown}

// tiffFields are the values of the tags of a directory; nil for tags that are not read.
type tiffFields map[uint16][]uint32

// number returns the value of a tag with one value, or defaultValue.
func (f tiffFields) number(tag uint16, defaultValue int) int {
	if v := f[tag]; len(v) == 1 {
		return int(v[0])
	}
	return defaultValue
}
