package imaging

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"image"
	"slices"
	"strings"
)

// Header is what a picture says of itself before it is decoded.
type Header struct {
	Format Format
	// Width and Height are in pixels as stored, before orientation.
	Width, Height int
	// Orientation is EXIF's, 1 to 8; 1 is upright.
	Orientation int
	// Alpha tells whether the picture may have transparent pixels.
	Alpha bool
	// colours is how many channels it has beside alpha: 1 is grey, 4 are inks.
	// profile is how many its ICC profile is for, 0 without one that is used.
	colours, profile int
	// extra is how many channels a TIFF has besides its colours, and alphaAt which
	// of them is alpha, counted from 1; 0 is none.
	extra, alphaAt int
	// fromYCbCr is the matrix of 3 × 4 to RGB for what libvips leaves as YCbCr.
	fromYCbCr *[12]float64
	// sampled is how a JPEG's components are sampled, zero for those it has not.
	sampled [4]sampling
	density density
	// frame is where the first frame of a GIF lies, if it does not fill the canvas.
	frame image.Rectangle
	// quality is a JPEG's own, 1 to 100, and 0 where it is not known.
	quality int
	// held is the bytes per pixel that the decoder holds beside the rows that it
	// gives: 0 where it works row by row.
	held int
	// Animated tells whether there are further frames or pages; only the first is
	// used.
	Animated bool
	// parts are what the decoder gets to see of the file, one behind the other.
	parts [][]byte
	// kept is where the last of them ends in the file.
	kept int64
	// tail bounds the bytes that the last 16 rows of a PNG take; 0 does not.
	tail int
	// inspect checks before decoding what takes more than a look; nil checks nothing.
	inspect func(context.Context) error
	// Repaired lists what was wrong with the file and did no harm to its pixels.
	Repaired []string
}

// keep lets the decoder see a part of the file. Parts that adjoin become one.
func (h *Header) keep(data []byte, from, to int64) {
	if from == to {
		return
	}
	last := len(h.parts) - 1
	if last >= 0 && from == h.kept {
		from -= int64(len(h.parts[last]))
		h.parts = h.parts[:last]
	}
	h.parts, h.kept = append(h.parts, data[from:to:to]), to
}

// repair notes what was wrong with the file.
func (h *Header) repair(what string) {
	if !slices.Contains(h.Repaired, what) {
		h.Repaired = append(h.Repaired, what)
	}
}

// Size returns width and height in pixels as shown, after orientation.
func (h Header) Size() (width, height int) {
	if h.Orientation >= 5 {
		return h.Height, h.Width
	}
	return h.Width, h.Height
}

// Limits bound what is decoded. Refusals name them as the settings MAX_IMAGE_SIDE and
// MAX_IMAGE_PIXELS.
type Limits struct {
	// MaxSide is the most pixels in width or height.
	MaxSide int
	// MaxPixels is the most pixels in all.
	MaxPixels int64
	// Strict refuses files that have to be repaired.
	Strict bool
}

// InputError means that the picture is at fault. Its reason is written for the
// caller.
type InputError struct{ Reason string }

// Error returns the reason.
func (e *InputError) Error() string { return e.Reason }

func invalid(format string, args ...any) error {
	return &InputError{Reason: fmt.Sprintf(format, args...)}
}

// parsers lists the formats that are read, by how their files begin. libvips
// never sees a byte of anything else.
var parsers = []struct {
	format Format
	begins func([]byte) bool
	parse  func([]byte, *Header) error
}{
	{JPEG, magic("\xff\xd8\xff"), parseJPEG},
	{PNG, magic("\x89PNG\r\n\x1a\n"), parsePNG},
	{WebP, func(b []byte) bool { return magic("RIFF")(b) && len(b) >= 12 && string(b[8:12]) == "WEBP" }, parseWebP},
	{GIF, func(b []byte) bool { return magic("GIF87a")(b) || magic("GIF89a")(b) }, parseGIF},
	{TIFF, func(b []byte) bool { return magic("II*\x00")(b) || magic("MM\x00*")(b) }, parseTIFF},
}

func magic(begin string) func([]byte) bool {
	return func(b []byte) bool { return bytes.HasPrefix(b, []byte(begin)) }
}

// ParseHeader reads the header of a JPEG, PNG, WebP, GIF or TIFF, in pure Go
// and without decoding a pixel. It fails with an InputError for anything else,
// for what ends too early, and for what exceeds the limits.
func ParseHeader(data []byte, limits Limits) (Header, error) {
	if len(data) == 0 {
		return Header{}, invalid("zero bytes: not an image")
	}
	for _, p := range parsers {
		if !p.begins(data) {
			continue
		}
		h := Header{Format: p.format, Orientation: 1}
		if err := p.parse(data, &h); err != nil {
			return Header{}, err
		}
		if h.parts == nil {
			h.parts = [][]byte{data}
		}
		if h.Orientation < 1 || h.Orientation > 8 {
			h.Orientation = 1
		}
		return h, limits.check(h)
	}
	return Header{}, foreignError(data)
}

func (l Limits) check(h Header) error {
	switch {
	case h.Width < 1 || h.Height < 1:
		return invalid("corrupt %s: the picture is %d×%d pixels", h.Format, h.Width, h.Height)
	case h.Width > l.MaxSide || h.Height > l.MaxSide:
		return invalid("%d×%d pixels: a side is longer than MAX_IMAGE_SIDE=%d", h.Width, h.Height, l.MaxSide)
	case int64(h.Width)*int64(h.Height) > l.MaxPixels:
		return invalid("%d×%d pixels: more than MAX_IMAGE_PIXELS=%d", h.Width, h.Height, l.MaxPixels)
	}
	if l.Strict && len(h.Repaired) > 0 {
		return invalid("damaged %s: %s; STRICT_INPUT=false takes it", h.Format, strings.Join(h.Repaired, "; "))
	}
	return nil
}

// profileColours returns how many channels an ICC profile is for, from the colour
// space in its header; 0 for sRGB, to which nothing need be done, and for nonsense.
func profileColours(icc []byte) int {
	if len(icc) < 20 || profileName(icc) == "sRGB IEC61966-2.1" {
		return 0
	}
	return map[string]int{"GRAY": 1, "RGB ": 3, "CMYK": 4}[string(icc[16:20])]
}

// profileName returns the description of an ICC profile of version 2 (ICC.1:2001,
// 6.5.17).
func profileName(icc []byte) string {
	const tags = 132
	for at := tags; at+12 <= len(icc) && at < tags+12*100; at += 12 {
		if string(icc[at:at+4]) != "desc" {
			continue
		}
		offset := int64(binary.BigEndian.Uint32(icc[at+4:]))
		if offset+12 > int64(len(icc)) || string(icc[offset:offset+4]) != "desc" {
			return ""
		}
		text := icc[offset+12:]
		length := int64(binary.BigEndian.Uint32(icc[offset+8:]))
		return strings.TrimRight(string(text[:min(length, int64(len(text)))]), "\x00")
	}
	return ""
}

func truncated(f Format) error { return invalid("truncated %s: the file ends too early", f) }
