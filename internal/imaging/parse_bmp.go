package imaging

import (
	"encoding/binary"
	"math/bits"
)

// Values of the field biCompression (Windows GDI, BITMAPINFOHEADER and BITMAPV5HEADER).
const (
	bmpRGB       = 0
	bmpRLE8      = 1
	bmpRLE4      = 2
	bmpMasks     = 3 // Huffman 1D in OS/2
	bmpJPEG      = 4 // RLE24 in OS/2
	bmpPNG       = 5
	bmpAlphaMask = 6
)

const (
	bmpFileHeader  = 14
	bmpCoreHeader  = 12 // also the first version of OS/2
	bmpShortHeader = 16 // the second version of OS/2 without its last fields
	bmpInfoHeader  = 40
	bmpV2Header    = 52 // with masks of red, green and blue
	bmpV3Header    = 56 // with a mask of alpha
	bmpOS2Header   = 64 // the second version of OS/2
	bmpV5Header    = 124
)

// bmpData describes the pixels of a BMP.
type bmpData struct {
	width, height, bits int
	// topDown: the first row in the file is the top one.
	topDown bool
	// stride is the size of a row in bytes. pixels has all rows, or the codes if run-length
	// encoded.
	stride int
	pixels []byte
	rle    bool
	// palette has 3 bytes, red, green and blue, for each index.
	palette []byte
	// masks are the bits of red, green, blue and alpha in a pixel of 16 or 32 bits.
	masks [4]uint32
}

// beginsBMP reports whether a file begins like a BMP. The size of its information header distinguishes it
// from text.
func beginsBMP(b []byte) bool {
	return magic("BM")(b) && (len(b) < 18 || b[16] == 0 && b[17] == 0)
}

// parseBMP parses the file header, the information header of any version, the colour masks and
// the palette, and finds the ICC profile.
func parseBMP(data []byte, h *Header) error {
	if len(data) < bmpFileHeader+bmpCoreHeader {
		return truncated(BMP)
	}
	size := int64(binary.LittleEndian.Uint32(data[bmpFileHeader:]))
	if size < bmpCoreHeader || size > bmpV5Header || size > bmpCoreHeader && size < bmpShortHeader {
		return invalid("bmp with a header of %d bytes: supported are BITMAPCOREHEADER to BITMAPV5HEADER", size)
	}
	if bmpFileHeader+size > int64(len(data)) {
		return truncated(BMP)
	}
	info := make([]byte, bmpV5Header) // fields that a shorter header lacks are 0
	copy(info, data[bmpFileHeader:bmpFileHeader+size])
	b := &bmpData{}
	b.readSize(info, size, h)
	if b.width < 1 || b.height < 1 {
		return nil // Limits.check reports it
	}
	palette, err := b.layout(info, size, data)
	if err == nil {
		err = b.findPixels(info, size, data, palette, h)
	}
	if err != nil {
		return err
	}
	h.Alpha, h.bmp = b.masks[3] != 0, b
	if b.masks != [4]uint32{} {
		h.Bits = max(bits.OnesCount32(b.masks[0]), bits.OnesCount32(b.masks[1]), bits.OnesCount32(b.masks[2]))
	}
	h.setProfile(bmpProfile(info, data))
	return b.checkPixels(h)
}

// bmpProfile returns the ICC profile that is embedded in a file with a BITMAPV5HEADER, or nil.
func bmpProfile(info, data []byte) []byte {
	le := binary.LittleEndian
	at, size := bmpFileHeader+int64(le.Uint32(info[112:])), int64(le.Uint32(info[116:]))
	if string(info[56:60]) != "DEBM" || at+size > int64(len(data)) {
		return nil
	}
	return data[at : at+size]
}

// readSize parses the size in pixels, the depth and the density.
func (b *bmpData) readSize(info []byte, size int64, h *Header) {
	le := binary.LittleEndian
	if size == bmpCoreHeader {
		b.width, b.height, b.bits = int(le.Uint16(info[4:])), int(le.Uint16(info[6:])), int(le.Uint16(info[10:]))
	} else {
		number := func(at int) int { return int(int32(le.Uint32(info[at:]))) }
		b.width, b.height, b.bits = number(4), number(8), int(le.Uint16(info[14:]))
		h.density = density{float64(number(24)), float64(number(28)), metre}
	}
	if b.topDown = b.height < 0; b.topDown {
		b.height = -b.height
	}
	h.Width, h.Height, h.colours = b.width, b.height, 3
}

// findPixels parses the palette at an offset and finds the pixels.
func (b *bmpData) findPixels(info []byte, size int64, data []byte, palette int64, h *Header) error {
	le := binary.LittleEndian
	offset, colours := int64(le.Uint32(data[10:])), int64(min(le.Uint32(info[32:]), 1<<8))
	if end := palette + 4*colours; b.bits <= 8 && palette <= offset && offset < end {
		h.repair("its pixels did not begin after its palette")
		offset = end
	}
	if offset < palette {
		return invalid("corrupt bmp: its pixels begin in its header, at byte %d", offset)
	}
	if offset > int64(len(data)) {
		return truncated(BMP)
	}
	b.readPalette(data[palette:offset], size == bmpCoreHeader, int(colours))
	b.pixels = data[offset:]
	return nil
}

// layout parses compression, depth and masks, and returns the offset of the palette.
func (b *bmpData) layout(info []byte, size int64, data []byte) (palette int64, err error) {
	compression := binary.LittleEndian.Uint32(info[16:])
	isOS2 := size == bmpOS2Header || size > bmpCoreHeader && size < bmpInfoHeader
	palette = bmpFileHeader + size
	switch {
	case isOS2 && compression > bmpRLE4:
		return 0, invalid("bmp with Huffman 1D or RLE24 compression of OS/2")
	case compression == bmpJPEG || compression == bmpPNG:
		return 0, invalid("bmp that contains a JPEG or a PNG for a printer")
	case compression == bmpRLE8 && b.bits == 8 || compression == bmpRLE4 && b.bits == 4:
		b.rle = true
	case compression == bmpRGB && b.bits == 16:
		b.masks = [4]uint32{0x7c00, 0x03e0, 0x001f}
	case compression == bmpRGB && b.bits == 32:
		b.masks = [4]uint32{0xff0000, 0xff00, 0xff}
	case (compression == bmpMasks || compression == bmpAlphaMask) && (b.bits == 16 || b.bits == 32):
		return b.readMasks(info, size, data, compression == bmpAlphaMask)
	case compression != bmpRGB || b.bits != 1 && b.bits != 2 && b.bits != 4 && b.bits != 8 && b.bits != 24:
		return 0, invalid("bmp with %d bits per pixel and compression %d", b.bits, compression)
	}
	return palette, nil
}

// readMasks parses the masks, which are a part of newer headers and follow older ones.
func (b *bmpData) readMasks(info []byte, size int64, data []byte, withAlpha bool) (palette int64, err error) {
	count := 3
	if withAlpha || size >= bmpV3Header {
		count = 4
	}
	palette = bmpFileHeader + size
	if size < bmpV2Header {
		palette += 4 * int64(count)
	}
	if palette > int64(len(data)) {
		return 0, truncated(BMP)
	}
	for i := range count {
		mask := binary.LittleEndian.Uint32(data[bmpFileHeader+bmpInfoHeader+4*i:])
		if low := mask >> bits.TrailingZeros32(mask); low&(low+1) != 0 || uint64(mask)>>b.bits != 0 {
			return 0, invalid("corrupt bmp: its colour masks are invalid")
		}
		b.masks[i] = mask
	}
	if b.masks[0]|b.masks[1]|b.masks[2] == 0 {
		return 0, invalid("corrupt bmp: its colour masks are empty")
	}
	return palette, nil
}

// readPalette parses up to count colours, 0 for all that the depth allows. Indices beyond are
// black.
func (b *bmpData) readPalette(table []byte, isCore bool, count int) {
	if b.bits > 8 {
		return
	}
	if count == 0 {
		count = 1 << b.bits
	}
	entry := 4
	if isCore {
		entry = 3
	}
	b.palette = make([]byte, 3<<8)
	for i := range min(count, len(table)/entry) {
		blue, green, red := table[entry*i], table[entry*i+1], table[entry*i+2]
		b.palette[3*i], b.palette[3*i+1], b.palette[3*i+2] = red, green, blue
	}
}

// checkPixels checks that all pixels are in the file.
func (b *bmpData) checkPixels(h *Header) error {
	if b.rle {
		h.held = 1
		return b.checkRuns(h)
	}
	stride := (int64(b.width)*int64(b.bits) + 31) / 32 * 4
	padding := stride - (int64(b.width)*int64(b.bits)+7)/8
	if (int64(len(b.pixels))+padding)/stride < int64(b.height) { // the last row may lack its padding
		return truncated(BMP)
	}
	b.stride = int(stride)
	return nil
}
