package imaging

import (
	"encoding/binary"
	"errors"
)

// Tags and types of TIFF 6.0 that are read here.
const (
	tagWidth           = 256
	tagHeight          = 257
	tagStripOffsets    = 273
	tagOrientation     = 274
	tagSamplesPerPixel = 277
	tagStripByteCounts = 279
	tagTileOffsets     = 324
	tagTileByteCounts  = 325
	tagPhotometric     = 262
	tagExtraSamples    = 338
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
const maxEntries = 4096

var errDirectory = errors.New("no directory")

// firstDirectory reads the first image file directory of a TIFF structure.
func firstDirectory(data []byte) ([]directoryEntry, binary.ByteOrder, error) {
	if len(data) < 8 {
		return nil, nil, errDirectory
	}
	var order binary.ByteOrder = binary.LittleEndian
	if data[0] == 'M' {
		order = binary.BigEndian
	}
	at := int64(order.Uint32(data[4:]))
	if at+2 > int64(len(data)) {
		return nil, nil, errDirectory
	}
	n := int64(order.Uint16(data[at:]))
	at += 2
	if n > maxEntries || at+12*n > int64(len(data)) {
		return nil, nil, errDirectory
	}
	entries := make([]directoryEntry, n)
	for i := range entries {
		e := data[at+12*int64(i):]
		entries[i] = directoryEntry{order.Uint16(e), order.Uint16(e[2:]), order.Uint32(e[4:]), e[8:12]}
	}
	return entries, order, nil
}

// numbers reads an entry's values, which are shorts or longs.
func (e directoryEntry) numbers(data []byte, order binary.ByteOrder) ([]uint32, error) {
	size := int64(2)
	if e.kind == tiffLong {
		size = 4
	} else if e.kind != tiffShort {
		return nil, errDirectory
	}
	field, length := e.value, size*int64(e.count)
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

// parseTIFF reads the first directory and checks that all of its strips or
// tiles lie within the file.
func parseTIFF(data []byte, h *Header) error {
	entries, order, err := firstDirectory(data)
	if err != nil {
		return truncated(TIFF)
	}
	values := map[uint16][]uint32{}
	for _, e := range entries {
		switch e.tag {
		case tagProfile:
			h.profile = true
		case tagWidth, tagHeight, tagOrientation, tagPhotometric, tagStripOffsets, tagStripByteCounts, tagTileOffsets, tagTileByteCounts, tagExtraSamples:
			if values[e.tag], err = e.numbers(data, order); err != nil {
				return truncated(TIFF)
			}
		}
	}
	for tag, field := range map[uint16]*int{tagWidth: &h.Width, tagHeight: &h.Height, tagOrientation: &h.Orientation} {
		if v := values[tag]; len(v) == 1 {
			*field = int(v[0])
		}
	}
	h.Alpha = len(values[tagExtraSamples]) > 0
	h.cmyk = len(values[tagPhotometric]) == 1 && values[tagPhotometric][0] == photometricInks
	for offsets, counts := range map[uint16]uint16{tagStripOffsets: tagStripByteCounts, tagTileOffsets: tagTileByteCounts} {
		if len(values[offsets]) != len(values[counts]) {
			return invalid("corrupt tiff: strips without sizes")
		}
		for i, at := range values[offsets] {
			if int64(at)+int64(values[counts][i]) > int64(len(data)) {
				return truncated(TIFF)
			}
		}
	}
	return nil
}
