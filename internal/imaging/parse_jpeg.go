package imaging

import (
	"bytes"
	"encoding/binary"
)

// JPEG markers (ITU-T T.81, table B.1).
const (
	jpegEnd  = 0xd9
	jpegScan = 0xda
)

// jpegReader reads the marker segments of a JPEG.
type jpegReader struct {
	data   []byte
	header *Header
	// begin is the start of the part that the decoder reads next.
	begin       int
	progressive bool
	components  []jpegComponent
	// blocks is the number of blocks of all components, scanned the number of blocks that
	// all scans cover.
	blocks, scanned int64
	scans, stray    int
	// hasJFIF is set by a JFIF segment. adobe is the payload of an Adobe segment.
	hasJFIF bool
	adobe   []byte
}

// jpegComponent is a component of the frame and its coefficients in the scans so far.
type jpegComponent struct {
	id     byte
	blocks int64
	// begun has a bit for each coefficient that a scan contains, complete a bit for each
	// coefficient that has all of its bits.
	begun, complete uint64
}

const allCoefficients = 1<<64 - 1

// parseJPEG reads the marker segments up to the end marker (ITU-T T.81, annex B). It leaves
// out bytes between segments, and adds a missing end marker if all scans are present. Damage
// inside a scan is found by decoding only.
func parseJPEG(data []byte, h *Header) error {
	r := jpegReader{data: data, header: h}
	for at := 2; ; {
		begin, marker := nextMarker(data, at)
		if begin < 0 {
			return r.endWithoutMarker(len(data))
		}
		if begin > at && r.scans == 0 {
			if err := r.leaveOut(at, begin); err != nil {
				return err
			}
		}
		at = begin
		for at++; data[at] == 0xff; at++ { // fill bytes
		}
		at++
		switch {
		case marker == jpegEnd:
			return r.end(at)
		case !hasSegment(marker): // libjpeg stops at those that it does not know
			continue
		case at+2 > len(data):
			return r.endWithoutMarker(begin)
		}
		next := at + int(binary.BigEndian.Uint16(data[at:]))
		if next < at+2 || next > len(data) {
			return r.endWithoutMarker(begin)
		}
		if err := r.segment(marker, data[at+2:next]); err != nil {
			return err
		}
		if at = next; marker == jpegScan { // the decoder can be stopped before each scan
			r.keep(at)
		}
	}
}

// nextMarker returns the next marker and its offset, including fill bytes, or -1 if there is
// none. In a scan, a data byte of 255 is followed by 0.
func nextMarker(data []byte, at int) (begin int, marker byte) {
	for at < len(data) {
		next := bytes.IndexByte(data[at:], 0xff)
		if next < 0 {
			return -1, 0
		}
		begin = at + next
		for at = begin + 1; at < len(data) && data[at] == 0xff; at++ {
		}
		if at < len(data) && data[at] != 0 {
			return begin, data[at]
		}
		at++
	}
	return -1, 0
}

// maxStray is the maximum number of places with bytes that belong to no segment.
const maxStray = 64

// leaveOut hides the bytes from at to next from the decoder.
func (r *jpegReader) leaveOut(at, next int) error {
	if r.stray++; r.stray > maxStray {
		return invalid("corrupt jpeg: too many bytes between its segments")
	}
	r.header.repair("bytes between its segments were left out")
	r.keep(at)
	r.begin = next
	return nil
}

func (r *jpegReader) keep(end int) {
	if end > r.begin {
		r.header.parts = append(r.header.parts, r.data[r.begin:end])
	}
	r.begin = end
}

// endWithoutMarker completes the header of a file without an end marker. All coefficients
// must be complete.
func (r *jpegReader) endWithoutMarker(end int) error {
	if r.scans == 0 {
		return truncated(JPEG)
	}
	for _, c := range r.components {
		if c.complete != allCoefficients {
			return truncated(JPEG)
		}
	}
	r.header.repair("the end marker was missing")
	if r.data[end-1] == 0xff { // first half of the end marker, or a data byte without its 0
		end--
	}
	r.keep(end)
	r.header.parts = append(r.header.parts, []byte{0xff, jpegEnd})
	return nil
}

// end completes the header at the end marker. Cameras and phones append other data. Scans
// that only refine coefficients may be missing.
func (r *jpegReader) end(at int) error {
	if r.scans == 0 {
		return invalid("corrupt jpeg: it ends before its image data")
	}
	for _, c := range r.components {
		switch {
		case c.begun&1 == 0:
			return invalid("truncated jpeg: a colour component is missing")
		case c.begun != allCoefficients:
			return invalid("truncated jpeg: a scan is missing")
		}
	}
	r.keep(at)
	return nil
}

func (r *jpegReader) segment(marker byte, segment []byte) error {
	h := r.header
	h.metadata.readSegment(marker, segment)
	switch {
	case marker == jpegScan:
		return r.scan(segment)
	case isFrame(marker):
		return r.frame(marker, segment)
	case marker == 0xdb && h.quality == 0:
		h.quality = jpegQualityOf(segment)
	case marker == 0xe0 && bytes.HasPrefix(segment, []byte("JFIF\x00")):
		h.density = h.density.or(densityOfJFIF(segment))
		r.hasJFIF = r.hasJFIF || len(segment) >= 14
	case marker == 0xe1 && bytes.HasPrefix(segment, []byte("Exif\x00\x00")) && h.Orientation == 1:
		h.readEXIF(segment[6:])
	case marker == 0xee && bytes.HasPrefix(segment, []byte("Adobe")) && len(segment) >= 12:
		r.adobe = segment
	case marker == 0xe2 && bytes.HasPrefix(segment, []byte("MPF\x00")):
		h.Frames = max(h.Frames, countFrames(segment[4:]))
		h.Animated = h.Frames > 1
	case marker == 0xe2 && bytes.HasPrefix(segment, []byte("ICC_PROFILE\x00\x01")): // first part
		h.readProfile(segment[min(14, len(segment)):])
	}
	return nil
}

// frame parses a frame header (T.81, B.2.2).
func (r *jpegReader) frame(marker byte, segment []byte) error {
	h := r.header
	if len(segment) < 6 || len(segment) < 6+3*int(segment[5]) {
		return invalid("corrupt jpeg: short frame header")
	}
	if h.Width != 0 {
		return invalid("corrupt jpeg: a second frame")
	}
	h.Bits, h.Height = int(segment[0]), int(binary.BigEndian.Uint16(segment[1:]))
	h.Width = int(binary.BigEndian.Uint16(segment[3:]))
	if h.colours = int(segment[5]); h.colours < 1 || h.colours > 4 {
		return invalid("corrupt jpeg: %d components", h.colours)
	}
	h.sampled = parseSamplings(segment[6:][:3*h.colours])
	r.progressive = marker&3 == 2
	if r.progressive { // the decoder holds all coefficients, 16 bits each
		h.held = 2 * h.colours
	}
	full := sampling{1, 1}
	for c := range h.colours {
		factors := int(segment[6+3*c+1])
		if factors>>4 < 1 || factors>>4 > 4 || factors&15 < 1 || factors&15 > 4 {
			return invalid("corrupt jpeg: sampling factors %d × %d", factors>>4, factors&15)
		}
		full = sampling{max(full.across, factors>>4), max(full.down, factors&15)}
	}
	for c := range h.colours {
		id, factors := segment[6+3*c], int(segment[6+3*c+1])
		blocks := int64(h.Width*(factors>>4)/full.across/8+1) * int64(h.Height*(factors&15)/full.down/8+1)
		r.components = append(r.components, jpegComponent{id: id, blocks: blocks})
		r.blocks += blocks
	}
	return nil
}

// isFrame reports whether a marker is SOF0 to SOF15. DHT, JPG and DAC are not.
func isFrame(marker byte) bool {
	return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc
}

const (
	// maxScans is the limit of libvips.
	maxScans = 99
	// The scans may cover maxPasses × the blocks of the image + freeBlocks. A scan of a
	// few bytes can cover the whole image; encoders make fewer than ten passes.
	maxPasses  = 12
	freeBlocks = 4 << 20
)

// hasSegment reports whether a segment follows the marker, in the header and between scans.
func hasSegment(marker byte) bool {
	return marker >= 0xc0 && marker <= 0xcf || marker >= 0xda && marker <= 0xef || marker == 0xfe
}
