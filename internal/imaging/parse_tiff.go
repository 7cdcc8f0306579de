package imaging

import (
	"encoding/binary"
	"errors"
	"slices"
)

// Tags and types of TIFF 6.0 that are read here.
const (
	tagWidth           = 256
	tagHeight          = 257
	tagBits            = 258
	tagCompression     = 259
	tagPhotometric     = 262
	tagStripOffsets    = 273
	tagOrientation     = 274
	tagSamplesPerPixel = 277
	tagRowsPerStrip    = 278
	tagStripByteCounts = 279
	tagPlanar          = 284
	tagTileWidth       = 322
	tagTileHeight      = 323
	tagTileOffsets     = 324
	tagTileByteCounts  = 325
	tagExtraSamples    = 338
	tagJPEGTables      = 347
	tagProfile         = 34675

	photometricInks = 5

	tiffShort = 3
	tiffLong  = 4
)

// directoryEntry is one of a TIFF directory; value is its four-byte field.
type directoryEntry struct {
	tag, kind uint16
	count     uint32
	value     []byte
}

// maxEntries bounds a directory; real ones have a few dozen.
const maxEntries = 1024

var errDirectory = errors.New("no directory")

// firstDirectory reads the first image file directory of a TIFF structure.
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

// directory reads an image file directory, and where the next one is, 0 after the
// last.
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

// sizes are those of TIFF's types, in bytes.
var sizes = [...]int64{1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}

// size returns how many bytes of the file an entry's value takes.
func (e directoryEntry) size() int64 {
	if int(e.kind) >= len(sizes) {
		return 0
	}
	return sizes[e.kind] * int64(e.count)
}

// maxValues bounds what is read of an entry; a picture of the smallest tiles has
// fewer of them.
const maxValues = 1 << 20

// numbers reads an entry's values, which are shorts or longs.
func (e directoryEntry) numbers(data []byte, order binary.ByteOrder) ([]uint32, error) {
	size := int64(2)
	if e.kind == tiffLong {
		size = 4
	} else if e.kind != tiffShort {
		return nil, errDirectory
	}
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
		if size == 2 {
			values[i] = uint32(order.Uint16(field[2*i:]))
		} else {
			values[i] = order.Uint32(field[4*i:])
		}
	}
	return values, nil
}

// within tells whether an entry's values lie in a file of size bytes.
func (e directoryEntry) within(size int64, order binary.ByteOrder) bool {
	return e.size() <= 4 || int64(order.Uint32(e.value))+e.size() <= size
}

// bytes returns an entry's value of single bytes, nil where it is none.
func (e directoryEntry) bytes(data []byte, order binary.ByteOrder) []byte {
	at, length := int64(order.Uint32(e.value)), int64(e.count)
	if length <= 4 || at+length > int64(len(data)) {
		return nil
	}
	return data[at : at+length]
}

// parseTIFF reads the first directory and checks that all of its strips or tiles
// lie within the file. The decoder sees no other directory.
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
		fix.put(at+2+12*int64(len(entries)), make([]byte, 4))
	}
	fields := tiffFields{}
	for i, e := range entries {
		if _, twice := fields[e.tag]; twice {
			return invalid("corrupt tiff: tag %d twice", e.tag) // libtiff's choice may not be ours
		}
		fields[e.tag] = nil
		if !e.within(int64(len(data)), order) {
			if tiffVital[e.tag] {
				return truncated(TIFF)
			}
			fix.blank(at + 2 + 12*int64(i))
			continue
		}
		if e.tag == tagProfile {
			h.profile = profileColours(e.bytes(data, order))
		}
		if !slices.Contains(tiffTags, e.tag) {
			continue
		}
		if fields[e.tag], err = e.numbers(data, order); err != nil {
			return truncated(TIFF)
		}
	}
	return fix.finish(entries, at, fields)
}

// tiffTags are those whose values parseTIFF reads.
var tiffTags = []uint16{
	tagWidth, tagHeight, tagBits, tagPhotometric, tagOrientation, tagSamplesPerPixel, tagTileWidth, tagTileHeight,
	tagStripOffsets, tagStripByteCounts, tagTileOffsets, tagTileByteCounts, tagCompression, tagRowsPerStrip, tagPlanar,
}

// tiffFields are the values of a directory's tags, nil where they are not read.
type tiffFields map[uint16][]uint32

// number returns the value of a tag that has one.
func (f tiffFields) number(tag uint16, otherwise int) int {
	if v := f[tag]; len(v) == 1 {
		return int(v[0])
	}
	return otherwise
}

// samples reads what a pixel consists of, and refuses what makes pixels far
// larger than the limits reckon with.
func (f tiffFields) samples(h *Header) error {
	h.colours = 3
	switch f.number(tagPhotometric, -1) {
	case photometricInks:
		h.colours = 4
	case 0, 1, 3: // grey, and a palette
		h.colours = 1
	}
	samples := f.number(tagSamplesPerPixel, 1)
	h.Alpha = samples > h.colours
	if samples > h.colours+1 {
		return invalid("tiff of %d samples a pixel: colours and one for transparency are taken", samples)
	}
	for _, bits := range f[tagBits] {
		if bits > 16 {
			return invalid("tiff of %d bits a sample: at most 16 are taken", bits)
		}
		h.held += max(8, int(bits)) / 8 // all may be one strip
	}
	// A tile is decoded in full, however little of it the picture shows.
	width, height := f.number(tagTileWidth, 0), f.number(tagTileHeight, 0)
	if width > maxTile || height > maxTile {
		return invalid("tiff with tiles of %d×%d pixels: no side may be longer than %d", width, height, maxTile)
	}
	return nil
}

const maxTile = 4096
