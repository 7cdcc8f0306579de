package imaging

import (
	"encoding/binary"
	"errors"
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

	tiffByte     = 1
	tiffShort    = 3
	tiffLong     = 4
	tiffRational = 5
)

// directoryEntry is an entry of a TIFF directory. value is its field of four bytes.
type directoryEntry struct {
	tag, kind uint16
	count     uint32
	value     []byte
}

// maxEntries is the maximum size of a directory. Real ones have a few dozen entries.
const maxEntries = 1024

var errDirectory = errors.New("no directory")

// firstDirectory parses the first image file directory of a TIFF structure.
func firstDirectory(data []byte) ([]directoryEntry, binary.ByteOrder, error) {
	if len(data) < 8 {
		return nil, nil, errDirectory
	}
	order := byteOrder(data)
	entries, _, err := directory(data, order, int64(order.Uint32(data[4:])))
	return entries, order, err
}

func byteOrder(data []byte) binary.ByteOrder {
	if data[0] == 'M' {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// directory parses an image file directory and returns the offset of the next one, or 0
// after the last.
func directory(data []byte, order binary.ByteOrder, at int64) (entries []directoryEntry, next int64, err error) {
	if at+2 > int64(len(data)) {
		return nil, 0, errDirectory
	}
	n := int64(order.Uint16(data[at:]))
	at += 2
	if n > maxEntries || at+12*n > int64(len(data)) {
		return nil, 0, errDirectory
	}
	entries = make([]directoryEntry, n)
	for i := range entries {
		e := data[at+12*int64(i):]
		entries[i] = directoryEntry{order.Uint16(e), order.Uint16(e[2:]), order.Uint32(e[4:]), e[8:12]}
	}
	if at += 12 * n; at+4 <= int64(len(data)) {
		next = int64(order.Uint32(data[at:]))
	}
	return entries, next, nil
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
	return sizes[e.kind] * int64(e.count)
}

// maxValues is the maximum number of values of an entry. An image with the smallest tiles has
// fewer.
const maxValues = 1 << 20

// numbers returns the values of an entry of bytes, shorts or longs.
func (e directoryEntry) numbers(data []byte, order binary.ByteOrder) ([]uint32, error) {
	if e.kind != tiffByte && e.kind != tiffShort && e.kind != tiffLong {
		return nil, errDirectory
	}
	size := sizes[e.kind]
	field, length := e.value, size*int64(e.count)
	if e.count > maxValues {
		return nil, errDirectory
	}
	if length > 4 {
		at := int64(order.Uint32(e.value))
		if at+length > int64(len(data)) {
			return nil, errDirectory
		}
		field = data[at : at+length]
	}
	values := make([]uint32, e.count)
	for i := range values {
		switch size {
		case 1:
			values[i] = uint32(field[i])
		case 2:
			values[i] = uint32(order.Uint16(field[2*i:]))
		default:
			values[i] = order.Uint32(field[4*i:])
		}
	}
	return values, nil
}

// isInside reports whether the values of an entry lie in a file of size bytes.
func (e directoryEntry) isInside(size int64, order binary.ByteOrder) bool {
	return e.size() <= 4 || int64(order.Uint32(e.value))+e.size() <= size
}

// bytes returns the value of an entry of bytes, or nil if it has at most four or is not in
// the file.
func (e directoryEntry) bytes(data []byte, order binary.ByteOrder) []byte {
	at, length := int64(order.Uint32(e.value)), int64(e.count)
	if length <= 4 || at+length > int64(len(data)) {
		return nil
	}
	return data[at : at+length]
}

// ratios returns the numerators and denominators of an entry of rationals, or nil for other
// entries.
func (e directoryEntry) ratios(data []byte, order binary.ByteOrder) []uint32 {
	at := int64(order.Uint32(e.value))
	if e.kind != tiffRational || e.count > maxRatios || at+e.size() > int64(len(data)) {
		return nil
	}
	values := make([]uint32, 2*e.count)
	for i := range values {
		values[i] = order.Uint32(data[at+4*int64(i):])
	}
	return values
}

// maxRatios is the maximum number of rationals of an entry.
const maxRatios = 6

// parseTIFF parses the first directory and checks that all of its strips or tiles lie in the
// file. It hides the other directories from the decoder.
func parseTIFF(data []byte, h *Header) error {
	if len(data) < 8 {
		return truncated(TIFF)
	}
	order := byteOrder(data)
	at := int64(order.Uint32(data[4:]))
	entries, next, err := directory(data, order, at)
	if err != nil {
		return truncated(TIFF)
	}
	fix := tiffFixes{data: data, order: order, header: h}
	if h.Animated = next != 0; h.Animated {
		fix.replace(at+2+12*int64(len(entries)), make([]byte, 4))
	}
	fields := tiffFields{}
	for i, e := range entries {
		if _, twice := fields[e.tag]; twice {
			return invalid("corrupt tiff: tag %d twice", e.tag) // libtiff may choose the other one
		}
		fields[e.tag] = nil
		if !e.isInside(int64(len(data)), order) {
			if tiffVital[e.tag] {
				return truncated(TIFF)
			}
			fix.blank(at + 2 + 12*int64(i))
			continue
		}
		if e.tag == tagProfile {
			h.profile = profileColours(e.bytes(data, order))
		}
		if fields[e.tag], err = e.values(data, order); err != nil {
			return truncated(TIFF)
		}
	}
	return fix.finish(entries, at, fields)
}

// values returns the values of an entry with a tag that parseTIFF reads, or nil.
func (e directoryEntry) values(data []byte, order binary.ByteOrder) ([]uint32, error) {
	switch {
	case slices.Contains(tiffRatios, e.tag):
		return e.ratios(data, order), nil
	case slices.Contains(tiffTags, e.tag):
		return e.numbers(data, order)
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
