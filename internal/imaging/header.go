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

// Header is the parsed header of an encoded image.
type Header struct {
	Format Format
	// Width and Height are in pixels, as stored, before orientation.
	Width, Height int
	// Orientation is the EXIF orientation, 1 to 8; 1 is upright.
	Orientation int
	// Alpha reports whether the image may have transparent pixels.
	Alpha bool
	// Bits is the number of bits of a channel, of the largest one if they differ. A palette has 8.
	Bits int
	// space is the colour space if it does not follow from colours.
	space string
	// colours is the number of channels without alpha: 1 is grey, 4 is CMYK. profile is the
	// number of channels of the ICC profile, or 0 if there is none to apply.
	colours, profile int
	// extra is the number of channels of a TIFF after its colours. alphaAt is the number of
	// the alpha channel among them, counted from 1; 0 means no alpha.
	extra, alphaAt int
	// fromYCbCr is the 3 × 4 matrix to RGB, for YCbCr that libvips does not convert.
	fromYCbCr *[12]float64
	// storesYCbCr reports whether a TIFF has YCbCr, whose colours may have a lower resolution.
	storesYCbCr bool
	// ycc reports whether a JPEG has grey or YCbCr of 8 bits, or a WebP is lossy.
	ycc bool
	// sampled are the sampling factors of the components of a JPEG or a lossy WebP; unused
	// entries are zero.
	sampled  [4]sampling
	density  density
	metadata metadata
	// frame is the first frame of a GIF on its canvas; empty if it fills the canvas.
	frame image.Rectangle
	// quality is the quality of a JPEG, 1 to 100; 0 means unknown.
	quality int
	// uncropped is the size of the image before the file crops it; zero if it does not.
	uncropped image.Point
	// av1 describes an AVIF that dav1d reads; nil means that libvips reads it.
	av1 *av1Image
	// multiplied reports whether the colours of a HEIF are multiplied by alpha.
	multiplied bool
	// held is the memory that the decoder holds, in bytes per pixel, without the rows that
	// it returns. It is 0 for decoders that work row by row.
	held int
	// Animated reports whether the file has more frames or pages. Without a Selection, only the
	// first is used.
	Animated bool
	// Frames is the number of frames or pages; 0 means that it is not known.
	Frames int
	// ProfileName is the name of the ICC profile; "" means that there is none, or that it has no name.
	ProfileName string
	// exif is all EXIF data of a TIFF, of which outputs do not keep all.
	exif []byte
	// parts are the parts of the file that the decoder reads, in this order.
	parts [][]byte
	// kept is the end of the last part in the file.
	kept int64
	// png describes a PNG that inflate can read; nil means that it cannot.
	png *pngData
	// icc is the ICC profile to apply to RGB that libvips does not decode; nil if there is none.
	icc []byte
	// fromCodes reports whether icc is made from code points, so that the file does not have it.
	fromCodes bool
	// layout is the layout of a TIFF that libvips does not support; nil for others.
	layout *tiffLayout
	// jxl describes a JPEG XL for libjxl; nil for other formats.
	jxl *jxlData
	// bmp describes the pixels of a BMP; nil for other formats.
	bmp *bmpData
	// tail is the maximum size in bytes of the last 16 rows of a PNG; 0 means no limit.
	tail int
	// inspect does checks that are too slow for the header parser. It runs before decoding;
	// nil means no check.
	inspect func(context.Context) error
	// animation describes the frames of a GIF, a WebP or a PNG with several; nil means no animation.
	animation *animation
	// selected are the frames of the animation that are used; the zero value means the first.
	selected Selection
	// number is the number of the frame or page, or of the first selected one.
	number int
	// isPage reports whether the image is one of the pages of a TIFF.
	isPage bool
	// canvas is the decoded image if it is a frame of an animation: rows of RGBA with straight alpha.
	canvas []byte
	// Encoding are the options of outputs made from the image. Parsers leave it at its zero value.
	Encoding Encoding
	// Repaired lists the faults of the file that were repaired. They did not affect pixels.
	Repaired []string
}

// keep adds a part of the file to the parts that the decoder reads. It merges adjacent
// parts.
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

// repair adds a fault to Repaired, once.
func (h *Header) repair(fault string) {
	if !slices.Contains(h.Repaired, fault) {
		h.Repaired = append(h.Repaired, fault)
	}
}

// Size returns width and height in pixels, as displayed, after orientation.
func (h Header) Size() (width, height int) {
	if h.Orientation >= 5 {
		return h.Height, h.Width
	}
	return h.Width, h.Height
}

// channels returns the number of channels of the decoded image.
func (h Header) channels() int {
	if h.Alpha {
		return 4
	}
	return 3
}

// Limits are the limits for input images. Error texts name them by their environment
// variables, MAX_IMAGE_SIDE, MAX_IMAGE_PIXELS, MAX_ANIMATION_FRAMES, MAX_ANIMATION_PIXELS and
// STRICT_INPUT.
type Limits struct {
	// MaxSide is the maximum width and height in pixels.
	MaxSide int
	// MaxPixels is the maximum area in pixels.
	MaxPixels int64
	// MaxFrames is the maximum number of frames of an animation, and MaxAnimationPixels the maximum
	// number of pixels of all frames; 0 means 1000 and 160 million.
	MaxFrames          int
	MaxAnimationPixels int64
	// Strict rejects files that need a repair.
	Strict bool
}

// InputError means that the input image is invalid, too large or not supported. Its reason
// is written for the caller.
type InputError struct{ Reason string }

// Error returns the reason.
func (e *InputError) Error() string { return e.Reason }

func invalid(format string, args ...any) error {
	return &InputError{Reason: fmt.Sprintf(format, args...)}
}

// parsers lists the supported input formats and their signatures. libvips never reads a file
// of another format.
var parsers = []struct {
	format Format
	begins func([]byte) bool
	parse  func([]byte, *Header) error
}{
	{JPEG, magic("\xff\xd8\xff"), parseJPEG},
	{PNG, magic("\x89PNG\r\n\x1a\n"), parsePNG},
	{WebP, func(b []byte) bool { return magic("RIFF")(b) && len(b) >= 12 && string(b[8:12]) == "WEBP" }, parseWebP},
	{GIF, func(b []byte) bool { return magic("GIF87a")(b) || magic("GIF89a")(b) }, parseGIF},
	{AVIF, isHEIF("avif", "avis"), parseHEIF},
	{HEIC, isHEIF("heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"), parseHEIF},
	{TIFF, func(b []byte) bool { return magic("II*\x00")(b) || magic("MM\x00*")(b) }, parseTIFF},
	{TIFF, func(b []byte) bool { return magic("II+\x00\b\x00\x00\x00")(b) || magic("MM\x00+\x00\b\x00\x00")(b) }, parseTIFF},
	{BMP, beginsBMP, parseBMP},
	{JXL, beginsJXL, parseJXL},
}

func magic(begin string) func([]byte) bool {
	return func(b []byte) bool { return bytes.HasPrefix(b, []byte(begin)) }
}

// ParseHeader parses the header of a JPEG, PNG, WebP, GIF, TIFF, BMP, AVIF, HEIC or JPEG XL in pure Go,
// without decoding pixels. It returns an InputError for other formats, for truncated or corrupt
// files, and for images that exceed the limits.
func ParseHeader(data []byte, limits Limits) (Header, error) {
	if len(data) == 0 {
		return Header{}, invalid("zero bytes: not an image")
	}
	for _, p := range parsers {
		if !p.begins(data) {
			continue
		}
		h := Header{Format: p.format}
		return h, h.parse(data, limits, p.parse)
	}
	return Header{}, foreignError(data)
}

// parse parses and checks the header by a parser of its format.
func (h *Header) parse(data []byte, limits Limits, parse func([]byte, *Header) error) error {
	h.Orientation, h.Bits, h.Frames = 1, 8, 1
	if err := parse(data, h); err != nil {
		*h = Header{}
		return err
	}
	if h.parts == nil {
		h.parts = [][]byte{data}
	}
	if h.Orientation < 1 || h.Orientation > 8 {
		h.Orientation = 1
	}
	return limits.check(*h)
}

func (l Limits) check(h Header) error {
	switch {
	case h.Width < 1 || h.Height < 1:
		return invalid("corrupt %s: the image has %d×%d pixels", h.Format, h.Width, h.Height)
	case h.Width > l.MaxSide || h.Height > l.MaxSide:
		return invalid("%d×%d pixels: a side is longer than MAX_IMAGE_SIDE=%d", h.Width, h.Height, l.MaxSide)
	case int64(h.Width)*int64(h.Height) > l.MaxPixels:
		return invalid("%d×%d pixels: more than MAX_IMAGE_PIXELS=%d", h.Width, h.Height, l.MaxPixels)
	}
	if h.uncropped != (image.Point{}) {
		whole := h
		whole.Width, whole.Height, whole.uncropped = h.uncropped.X, h.uncropped.Y, image.Point{}
		return l.check(whole)
	}
	if l.Strict && len(h.Repaired) > 0 {
		return invalid("damaged %s: %s; STRICT_INPUT=false accepts it", h.Format, strings.Join(h.Repaired, "; "))
	}
	return nil
}

// profileColours returns the number of channels of an ICC profile, from the colour space in
// its header. It returns 0 for sRGB, which needs no conversion, and for invalid profiles.
func profileColours(icc []byte) int {
	if len(icc) < 20 || profileName(icc) == "sRGB IEC61966-2.1" {
		return 0
	}
	return map[string]int{"GRAY": 1, "RGB ": 3, "CMYK": 4}[string(icc[16:20])]
}

// setProfile sets the ICC profile of an image that libvips may not decode.
func (h *Header) setProfile(icc []byte) {
	h.readProfile(icc)
	if h.icc = nil; h.profile == 3 && len(icc) <= maxProfile {
		h.icc = icc
		h.metadata.profile.parts = [][]byte{icc}
	}
}

// profileName returns the description of a version 2 ICC profile (ICC.1:2001, 6.5.17), or
// "" for other versions.
func profileName(icc []byte) string {
	content := profileDescription(icc)
	if !bytes.HasPrefix(content, []byte("desc")) {
		return ""
	}
	text, length := content[12:], int64(binary.BigEndian.Uint32(content[8:]))
	return strings.TrimRight(string(text[:min(length, int64(len(text)))]), "\x00")
}

// profileDescription returns an ICC profile from its description on, at least 12 bytes, or nil if
// it has none.
func profileDescription(icc []byte) []byte {
	const tags = 132
	for at := tags; at+12 <= len(icc) && at < tags+12*100; at += 12 {
		if string(icc[at:at+4]) != "desc" {
			continue
		}
		offset := int64(binary.BigEndian.Uint32(icc[at+4:]))
		if offset+12 > int64(len(icc)) {
			return nil
		}
		return icc[offset:]
	}
	return nil
}

func truncated(f Format) error { return invalid("truncated %s: the file ends too early", f) }
