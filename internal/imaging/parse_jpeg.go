package imaging

import (
	"bytes"
	"encoding/binary"
)

// parseJPEG walks the marker segments up to the first scan (ITU-T T.81, annex
// B) and then the scans up to the end marker.
func parseJPEG(data []byte, h *Header) error {
	for at := 2; ; {
		if at+4 > len(data) {
			return truncated(JPEG)
		}
		if data[at] != 0xff || data[at+1] == 0 { // libjpeg would look for a marker further on
			return invalid("corrupt jpeg: no marker where one must be")
		}
		marker := data[at+1]
		if marker == 0xff { // fill byte
			at++
			continue
		}
		if marker == 0x01 || isRestart(marker) { // markers without a segment
			at += 2
			continue
		}
		length := int(binary.BigEndian.Uint16(data[at+2:]))
		if length < 2 || at+2+length > len(data) {
			return truncated(JPEG)
		}
		segment := data[at+4 : at+2+length]
		switch marker {
		case 0xda: // start of scan
			if h.Width == 0 {
				return invalid("corrupt jpeg: no frame before the scan")
			}
			if len(segment) > 0 && int(segment[0]) < h.colours { // others follow: all coefficients, as in a progressive one
				h.held = 2 * h.colours
			}
			return jpegScans(data[at+2+length:])
		case 0xd9:
			return invalid("corrupt jpeg: it ends before its picture")
		}
		if err := jpegSegment(marker, segment, h); err != nil {
			return err
		}
		at += 2 + length
	}
}

func isRestart(marker byte) bool { return marker >= 0xd0 && marker <= 0xd7 }

func jpegSegment(marker byte, segment []byte, h *Header) error {
	switch {
	case isFrame(marker):
		if len(segment) < 6 {
			return invalid("corrupt jpeg: short frame header")
		}
		h.Height = int(binary.BigEndian.Uint16(segment[1:]))
		h.Width = int(binary.BigEndian.Uint16(segment[3:]))
		h.colours = int(segment[5])
		h.sampled = samplings(segment[6:])
		if marker&3 == 2 { // progressive: all coefficients, of 16 bits
			h.held = 2 * h.colours
		}
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

// isFrame tells the markers SOF0 to SOF15 from DHT, JPG and DAC among them.
func isFrame(marker byte) bool {
	return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc
}

// maxScans is what libvips takes. A scan can be a few bytes that fill a whole
// picture, so it works for a while before it gives up.
const maxScans = 99

// jpegScans looks for the end marker in what begins with the first scan, where no
// byte of the picture looks like a marker. Cameras and phones append data of their
// own behind it.
func jpegScans(data []byte) error {
	for scans := 1; ; {
		at := bytes.IndexByte(data, 0xff)
		if at < 0 || at+1 >= len(data) {
			return truncated(JPEG)
		}
		marker := data[at+1]
		switch {
		case marker == 0xd9:
			return nil
		case marker == 0xff: // fill byte
			data = data[at+1:]
			continue
		case marker == 0xda:
			if scans++; scans > maxScans {
				return invalid("jpeg of more than %d scans", maxScans)
			}
		}
		data = data[at+2:]
		if hasSegment(marker) {
			if len(data) < 2 || int(binary.BigEndian.Uint16(data)) > len(data) {
				return truncated(JPEG)
			}
			data = data[binary.BigEndian.Uint16(data):]
		}
	}
}

// hasSegment tells the markers that can stand between scans. libjpeg ends at all
// others, but for those that have no segment.
func hasSegment(marker byte) bool {
	return marker >= 0xc0 && marker <= 0xcf || marker >= 0xda && marker <= 0xdd || marker >= 0xe0 && marker <= 0xef || marker == 0xfe
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
