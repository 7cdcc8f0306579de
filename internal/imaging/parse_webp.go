package imaging

import (
	"bytes"
	"encoding/binary"
	"image"
)

// parseWebP parses the chunks of the RIFF container (RFC 9649).
func parseWebP(data []byte, h *Header) error {
	if len(data) < 25 {
		return truncated(WebP)
	}
	size := int64(binary.LittleEndian.Uint32(data[4:])) + 8
	if size > int64(len(data)) {
		return truncated(WebP)
	}
	h.colours, h.held = 3, 8 // the copies in the decoder and in libvips
	payload, kind := data[20:], string(data[12:16])
	if len(payload) < 10 && kind != "VP8L" {
		return truncated(WebP)
	}
	switch kind {
	case "VP8 ":
		h.setLossy()
		if !bytes.Equal(payload[3:6], []byte{0x9d, 0x01, 0x2a}) {
			return invalid("corrupt webp: no key frame")
		}
		h.Width = int(binary.LittleEndian.Uint16(payload[6:]) & 0x3fff)
		h.Height = int(binary.LittleEndian.Uint16(payload[8:]) & 0x3fff)
	case "VP8L":
		if payload[0] != 0x2f {
			return invalid("corrupt webp: no lossless image")
		}
		bits := binary.LittleEndian.Uint32(payload[1:])
		h.Width, h.Height = int(bits&0x3fff)+1, int(bits>>14&0x3fff)+1
		h.Alpha = bits>>28&1 != 0
	case "VP8X":
		h.Alpha, h.Animated = payload[0]&0x10 != 0, payload[0]&0x02 != 0
		if h.Animated { // the decoder has one more canvas
			h.held = 12
		}
		h.Width, h.Height = uint24(payload[4:])+1, uint24(payload[7:])+1
		return webpChunks(data[:size], h)
	default:
		return invalid("corrupt webp: no image chunk")
	}
	return nil
}

// setLossy records that the image has planes sampled 4:2:0.
func (h *Header) setLossy() {
	h.ycc, h.sampled = true, [4]sampling{{2, 2}, {1, 1}, {1, 1}}
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// maxChunks is the maximum number of chunks. libvips reads all of them, in quadratic time, even for
// the first frame.
const maxChunks = 4096

// webpChunks parses the first EXIF, XMP, ICCP and VP8 chunks of an extended file.
func webpChunks(data []byte, h *Header) error {
	found := map[string][]byte{"EXIF": nil, "ICCP": nil, "VP8 ": nil, "XMP ": nil}
	chunks, a := 0, &animation{}
	for at := int64(12); at+8 <= int64(len(data)); {
		if chunks++; chunks > maxChunks {
			return invalid("webp with more than %d chunks", maxChunks)
		}
		length := int64(binary.LittleEndian.Uint32(data[at+4:]))
		if at+8+length > int64(len(data)) {
			a.fault = "truncated webp: the file ends too early"
			break
		}
		kind := string(data[at : at+4])
		if payload, wanted := found[kind]; wanted && payload == nil {
			found[kind] = data[at+8 : at+8+length]
		}
		a.readChunk(kind, data[at+8:at+8+length], image.Rect(0, 0, h.Width, h.Height))
		at += 8 + length + length&1
	}
	exif := bytes.TrimPrefix(found["EXIF"], []byte("Exif\x00\x00"))
	h.readEXIF(exif)
	h.readProfile(found["ICCP"])
	if h.Frames = max(1, len(a.frames)); h.Animated && len(a.frames) > 0 {
		h.animation = a
	}
	h.metadata = metadata{exif: exif, xmp: found["XMP "]}
	h.metadata.profile.parts = [][]byte{found["ICCP"]}
	if found["VP8 "] != nil {
		h.setLossy()
	}
	return nil
}

// readChunk reads a chunk of an animated WebP (RFC 9649, 2.7.1.1).
func (a *animation) readChunk(kind string, content []byte, canvas image.Rectangle) {
	switch {
	case kind == "ANIM" && len(content) >= 6:
		a.plays = int(binary.LittleEndian.Uint16(content[4:]))
	case kind == "ANMF" && len(content) < 16:
		a.fault = "corrupt webp: a frame has no header"
		a.add(frame{})
	case kind == "ANMF":
		left, top := 2*uint24(content), 2*uint24(content[3:])
		f := frame{
			at:    image.Rect(left, top, left+uint24(content[6:])+1, top+uint24(content[9:])+1),
			delay: uint24(content[12:]), over: content[15]&2 == 0,
		}
		if content[15]&1 != 0 {
			f.disposal = clearFrame
		}
		if !f.at.In(canvas) {
			a.fault = "corrupt webp: a frame reaches beyond the canvas"
		}
		a.holes = a.holes || f.disposal == clearFrame || len(a.frames) == 0 && f.at != canvas
		a.add(f)
	}
}
