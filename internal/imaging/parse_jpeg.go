package imaging

import (
	"bytes"
	"encoding/binary"
)

// The markers of a JPEG that matter here (ITU-T T.81, table B.1).
const (
	jpegEnd  = 0xd9
	jpegScan = 0xda
)

// jpegReader walks the markers of a JPEG.
type jpegReader struct {
	data   []byte
	header *Header
	// begin is where the part that the decoder sees next begins.
	begin       int
	progressive bool
	components  []jpegComponent
	// blocks are those of all components, work those of all scans.
	blocks, work int64
	scans, stray int
}

// jpegComponent is a component of the frame and how much of it the scans hold.
type jpegComponent struct {
	id     byte
	blocks int64
	// begun has a bit for each coefficient that a scan holds, done for those that are
	// exact.
	begun, done uint64
}

const allCoefficients = 1<<64 - 1

// parseJPEG walks the marker segments up to the end marker (ITU-T T.81, annex B).
// Bytes between segments are left out, and an end marker is added where all scans
// are there; whether they are whole, only decoding can tell.
func parseJPEG(data []byte, h *Header) error {
	r := jpegReader{data: data, header: h}
	for at := 2; ; {
		begin, marker := nextMarker(data, at)
		if begin < 0 {
			return r.cut(len(data))
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
		case !hasSegment(marker): // libjpeg ends at these, if it does not know them
			continue
		case at+2 > len(data):
			return r.cut(begin)
		}
		next := at + int(binary.BigEndian.Uint16(data[at:]))
		if next < at+2 || next > len(data) {
			return r.cut(begin)
		}
		if err := r.segment(marker, data[at+2:next]); err != nil {
			return err
		}
		if at = next; marker == jpegScan { // each can be stopped at
			r.keep(at)
		}
	}
}

// nextMarker returns the next marker and where it begins, with its fill bytes; -1
// where there is none. A byte of 255 in a scan is followed by a 0.
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

// maxStray bounds the places with bytes that belong to no segment.
const maxStray = 64

// leaveOut has the decoder not see the bytes up to next.
func (r *jpegReader) leaveOut(at, next int) error {
	if r.stray++; r.stray > maxStray {
		return invalid("corrupt jpeg: no marker where one must be")
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

// cut ends a file without an end marker. All that scans must hold has to be there.
func (r *jpegReader) cut(end int) error {
	if r.scans == 0 {
		return truncated(JPEG)
	}
	for _, c := range r.components {
		if c.done != allCoefficients {
			return truncated(JPEG)
		}
	}
	r.header.repair("the end marker was missing")
	if r.data[end-1] == 0xff { // the end marker's first half, or a byte whose 0 is missing
		end--
	}
	r.keep(end)
	r.header.parts = append(r.header.parts, []byte{0xff, jpegEnd})
	return nil
}

// end ends a file at its end marker. Cameras and phones append data of their own.
// Scans that only make coefficients more exact may be missing.
func (r *jpegReader) end(at int) error {
	if r.scans == 0 {
		return invalid("corrupt jpeg: it ends before its picture")
	}
	for _, c := range r.components {
		switch {
		case c.begun&1 == 0:
			return invalid("truncated jpeg: a colour is missing")
		case c.begun != allCoefficients:
			return invalid("truncated jpeg: a scan is missing")
		}
	}
	r.keep(at)
	return nil
}

func (r *jpegReader) segment(marker byte, segment []byte) error {
	h := r.header
	switch {
	case marker == jpegScan:
		return r.scan(segment)
	case isFrame(marker):
		return r.frame(marker, segment)
	case marker == 0xdb && h.quality == 0:
		h.quality = jpegQualityOf(segment)
	case marker == 0xe0 && bytes.HasPrefix(segment, []byte("JFIF\x00")):
		h.density = h.density.or(densityOfJFIF(segment))
	case marker == 0xe1 && bytes.HasPrefix(segment, []byte("Exif\x00\x00")) && h.Orientation == 1:
		h.density = h.density.or(densityOfEXIF(segment[6:]))
		h.Orientation = exifOrientation(segment[6:])
	case marker == 0xe2 && bytes.HasPrefix(segment, []byte("ICC_PROFILE\x00\x01")): // the first part
		h.profile = profileColours(segment[min(14, len(segment)):])
	}
	return nil
}

// frame reads a frame header (T.81, B.2.2).
func (r *jpegReader) frame(marker byte, segment []byte) error {
	h := r.header
	if len(segment) < 6 || len(segment) < 6+3*int(segment[5]) {
		return invalid("corrupt jpeg: short frame header")
	}
	if h.Width != 0 {
		return invalid("corrupt jpeg: a second frame")
	}
	h.Height = int(binary.BigEndian.Uint16(segment[1:]))
	h.Width = int(binary.BigEndian.Uint16(segment[3:]))
	h.colours = int(segment[5])
	h.sampled = samplings(segment[6:])
	r.progressive = marker&3 == 2
	if r.progressive { // all coefficients, of 16 bits
		h.held = 2 * h.colours
	}
	most := [2]int{1, 1}
	for c := range h.colours {
		sampling := int(segment[6+3*c+1])
		most = [2]int{max(most[0], sampling>>4), max(most[1], sampling&15)}
	}
	for c := range h.colours {
		id, sampling := segment[6+3*c], int(segment[6+3*c+1])
		blocks := int64(h.Width*(sampling>>4)/most[0]/8+1) * int64(h.Height*(sampling&15)/most[1]/8+1)
		r.components = append(r.components, jpegComponent{id: id, blocks: blocks})
		r.blocks += blocks
	}
	return nil
}

// isFrame tells the markers SOF0 to SOF15 from DHT, JPG and DAC among them.
func isFrame(marker byte) bool {
	return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc
}

const (
	// maxScans is what libvips takes.
	maxScans = 99
	// maxPasses and freeBlocks bound the blocks of all scans: how often as many as
	// the picture has, and how many more. A scan can be a few bytes that go over the
	// whole picture; encoders make less than ten passes.
	maxPasses  = 12
	freeBlocks = 4 << 20
)

// scan reads a scan header (T.81, B.2.3).
func (r *jpegReader) scan(segment []byte) error {
	h := r.header
	if h.Width == 0 {
		return invalid("corrupt jpeg: no frame before the scan")
	}
	if r.scans++; r.scans > maxScans {
		return invalid("jpeg of more than %d scans", maxScans)
	}
	if len(segment) < 1 || len(segment) < 4+2*int(segment[0]) {
		return invalid("corrupt jpeg: short scan header")
	}
	n := int(segment[0])
	if n < h.colours { // others follow: all coefficients, as in a progressive one
		h.held = 2 * h.colours
	}
	begun, done := r.coefficients(segment[1+2*n:])
	for i := range n {
		for c := range r.components {
			if r.components[c].id == segment[1+2*i] {
				r.work += r.components[c].blocks
				r.components[c].begun |= begun
				r.components[c].done |= done
			}
		}
	}
	if r.work > maxPasses*r.blocks+freeBlocks {
		return invalid("jpeg whose scans go over the picture more than %d times", maxPasses)
	}
	return nil
}

// coefficients returns which coefficients a scan begins, and which it completes.
func (r *jpegReader) coefficients(spectrum []byte) (begun, done uint64) {
	if !r.progressive {
		return allCoefficients, allCoefficients
	}
	first, last := min(spectrum[0], 63), min(spectrum[1], 63)
	if first > last {
		return 0, 0
	}
	begun = uint64(allCoefficients) << first & (uint64(allCoefficients) >> (63 - last))
	if spectrum[2]&15 == 0 {
		done = begun
	}
	return begun, done
}

// hasSegment tells the markers that a segment follows, in the head and between
// scans.
func hasSegment(marker byte) bool {
	return marker >= 0xc0 && marker <= 0xcf || marker >= 0xda && marker <= 0xef || marker == 0xfe
}

// exifOrientation reads the tag 0x0112 of the first directory of a TIFF
// structure; 1 when there is none.
func exifOrientation(tiff []byte) int {
	dir, order, err := firstDirectory(tiff)
	if err != nil {
		return 1
	}
	for _, entry := range dir {
		if entry.tag == tagOrientation && entry.kind == tiffShort && entry.count == 1 {
			return int(order.Uint16(entry.value))
		}
	}
	return 1
}
