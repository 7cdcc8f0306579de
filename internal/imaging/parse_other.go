package imaging

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"io"
)

// parsePNG walks the chunks up to the last (ISO/IEC 15948). All must match their
// checksums, to which libvips pays no heed.
func parsePNG(data []byte, h *Header) error {
	const ihdr = 8 + 8 + 13
	if len(data) < ihdr+4 {
		return truncated(PNG)
	}
	if string(data[12:16]) != "IHDR" {
		return invalid("corrupt png: no header chunk")
	}
	pngHeader(data[16:ihdr], h)
	profiles := 0
	for at := int64(8); ; {
		if at+12 > int64(len(data)) {
			return truncated(PNG)
		}
		end := at + 12 + int64(binary.BigEndian.Uint32(data[at:]))
		if end > int64(len(data)) {
			return truncated(PNG)
		}
		if crc32.ChecksumIEEE(data[at+4:end-4]) != binary.BigEndian.Uint32(data[end-4:]) {
			return invalid("corrupt png: the chunk at byte %d does not match its checksum", at)
		}
		switch content := data[at+8 : end-4]; string(data[at+4 : at+8]) {
		case "tRNS":
			h.Alpha = true
		case "iCCP":
			if profiles++; profiles > 1 { // libpng would unpack each
				return invalid("corrupt png: a second profile")
			}
			h.profile = pngProfile(content)
		case "acTL":
			h.Animated = true
		case "pHYs":
			h.density = densityOfPNG(content)
		case "eXIf":
			h.density = h.density.or(densityOfEXIF(content))
			h.Orientation = exifOrientation(content)
		case "IEND":
			return nil
		}
		at = end
	}
}

// pngHeader reads the content of the chunk IHDR.
func pngHeader(ihdr []byte, h *Header) {
	h.Width, h.Height = int(binary.BigEndian.Uint32(ihdr)), int(binary.BigEndian.Uint32(ihdr[4:]))
	depth, kind, interlaced := int(ihdr[8]), ihdr[9], ihdr[12] != 0
	h.Alpha, h.colours = kind&4 != 0, 3
	if kind&2 == 0 {
		h.colours = 1
	}
	if interlaced { // four channels at most
		h.held = 4 * max(8, depth) / 8
	}
}

// pngProfile looks into a compressed profile, which stands behind its name and
// the method of compression.
func pngProfile(chunk []byte) int {
	name := bytes.IndexByte(chunk, 0)
	if name < 0 || name+2 > len(chunk) {
		return 0
	}
	chunk = chunk[name+2:]
	inflated, err := zlib.NewReader(bytes.NewReader(chunk[:min(len(chunk), 4096)])) // the head is in it, unless by intent
	if err != nil {
		return 0
	}
	head, _ := io.ReadAll(io.LimitReader(inflated, 4096)) // whatever of it there is
	return profileColours(head)
}

// parseWebP reads the chunks of the RIFF container (RFC 9649).
func parseWebP(data []byte, h *Header) error {
	if len(data) < 25 {
		return truncated(WebP)
	}
	if int64(binary.LittleEndian.Uint32(data[4:]))+8 > int64(len(data)) {
		return truncated(WebP)
	}
	h.colours, h.held = 3, 8 // as the decoder has it, and as libvips takes it
	payload, kind := data[20:], string(data[12:16])
	if len(payload) < 10 && kind != "VP8L" {
		return truncated(WebP)
	}
	switch kind {
	case "VP8 ":
		if !bytes.Equal(payload[3:6], []byte{0x9d, 0x01, 0x2a}) {
			return invalid("corrupt webp: no key frame")
		}
		h.Width = int(binary.LittleEndian.Uint16(payload[6:]) & 0x3fff)
		h.Height = int(binary.LittleEndian.Uint16(payload[8:]) & 0x3fff)
	case "VP8L":
		if payload[0] != 0x2f {
			return invalid("corrupt webp: no lossless picture")
		}
		bits := binary.LittleEndian.Uint32(payload[1:])
		h.Width, h.Height = int(bits&0x3fff)+1, int(bits>>14&0x3fff)+1
		h.Alpha = bits>>28&1 != 0
	case "VP8X":
		h.Alpha, h.Animated = payload[0]&0x10 != 0, payload[0]&0x02 != 0
		if h.Animated { // another canvas
			h.held = 12
		}
		h.Width, h.Height = uint24(payload[4:])+1, uint24(payload[7:])+1
		return webpChunks(data, h)
	default:
		return invalid("corrupt webp: no picture chunk")
	}
	return nil
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// maxFrames bounds the frames or pages of a picture, of which only the first is
// used. libvips looks at all of them, and at each in a time that grows with them.
const maxFrames = 4096

// webpChunks reads what the chunks of an extended file tell, of each kind the
// first.
func webpChunks(data []byte, h *Header) error {
	found := map[string][]byte{"EXIF": nil, "ICCP": nil}
	chunks := 0
	for at := int64(12); at+8 <= int64(len(data)); {
		if chunks++; chunks > maxFrames {
			return invalid("webp of more than %d chunks", maxFrames)
		}
		length := int64(binary.LittleEndian.Uint32(data[at+4:]))
		if at+8+length > int64(len(data)) {
			break
		}
		kind := string(data[at : at+4])
		if payload, wanted := found[kind]; wanted && payload == nil {
			found[kind] = data[at+8 : at+8+length]
		}
		at += 8 + length + length&1
	}
	exif := bytes.TrimPrefix(found["EXIF"], []byte("Exif\x00\x00"))
	h.Orientation, h.density = exifOrientation(exif), densityOfEXIF(exif)
	h.profile = profileColours(found["ICCP"])
	return nil
}

// parseGIF walks the blocks of a GIF89a up to its trailer.
func parseGIF(data []byte, h *Header) error {
	if len(data) < 14 {
		return truncated(GIF)
	}
	h.Width, h.Height = gifScreen(data)
	h.Alpha, h.colours, h.held = true, 3, 8 // the canvas, and as libvips takes it
	frames := 0
	for at := 13 + colorTable(data[10]); at < len(data); {
		switch data[at] {
		case 0x21: // extension
			at = skipBlocks(data, at+2)
		case 0x2c: // a frame
			if at+10 >= len(data) {
				return truncated(GIF)
			}
			if frames++; frames == 1 {
				growToFrame(data[at+1:], h)
			}
			at = skipBlocks(data, at+10+colorTable(data[at+9])+1)
		case 0x3b: // trailer
			if frames == 0 {
				return invalid("corrupt gif: no frame")
			}
			h.Animated = frames > 1
			return nil
		default:
			return invalid("corrupt gif: unknown block")
		}
	}
	return truncated(GIF)
}

// gifScreen returns the size of the logical screen, 1 × 1 where it has none, which
// the first frame then gives.
func gifScreen(data []byte) (width, height int) {
	width = int(binary.LittleEndian.Uint16(data[6:]))
	height = int(binary.LittleEndian.Uint16(data[8:]))
	if width == 0 || height == 0 {
		return 1, 1
	}
	return width, height
}

// growToFrame makes the picture as large as its first frame reaches, given by
// left, top, width and height.
func growToFrame(frame []byte, h *Header) {
	le := binary.LittleEndian
	left, top := int(le.Uint16(frame)), int(le.Uint16(frame[2:]))
	h.frame = image.Rect(left, top, left+int(le.Uint16(frame[4:])), top+int(le.Uint16(frame[6:])))
	h.Width, h.Height = max(h.Width, h.frame.Max.X), max(h.Height, h.frame.Max.Y)
	if h.frame == image.Rect(0, 0, h.Width, h.Height) {
		h.frame = image.Rectangle{}
	}
}

// colorTable returns the size in bytes of the table that a flags byte tells of.
func colorTable(flags byte) int {
	if flags&0x80 == 0 {
		return 0
	}
	return 3 << (flags&7 + 1)
}

// skipBlocks returns the place behind a row of data blocks, or the file's end.
func skipBlocks(data []byte, at int) int {
	for at < len(data) {
		length := int(data[at])
		at += 1 + length
		if length == 0 {
			return at
		}
	}
	return len(data)
}
