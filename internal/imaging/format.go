package imaging

// #include "vips.h"
import "C"

import "strings"

// Format is an image format.
type Format string

// The formats.
const (
	JPEG Format = "jpeg"
	PNG  Format = "png"
	WebP Format = "webp"
	TIFF Format = "tiff"
	GIF  Format = "gif"
	AVIF Format = "avif"
	HEIC Format = "heic"
)

// codecs describes the formats. quality is in [1, 100]; 0 marks read-only formats, and
// lossless encoders ignore it.
var codecs = map[Format]struct {
	extension string
	aliases   []string
	vips      C.Codec
	quality   int
	// opaque and withAlpha are the maximum memory for encoding in bytes per pixel,
	// without the pixels themselves.
	opaque, withAlpha int
}{
	JPEG: {"jpg", []string{"jpeg", "jpg", "jpe"}, C.JPEG, 85, 6, 0},
	PNG:  {"png", []string{"png"}, C.PNG, 100, 7, 9},
	WebP: {"webp", []string{"webp"}, C.WEBP, 80, 22, 42},
	TIFF: {"tiff", []string{"tiff", "tif"}, C.TIFF, 100, 7, 9},
	GIF:  {"gif", []string{"gif"}, C.GIF, 0, 0, 0},
	AVIF: {"avif", []string{"avif"}, C.AVIF, 60, 26, 30},
	HEIC: {"heic", []string{"heic", "heif"}, C.HEIC, 0, 0, 0},
}

// FormatOf parses a media type, or a file name extension with or without the dot. It
// ignores case.
func FormatOf(text string) (Format, bool) {
	text = strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(text), "image/"), ".")
	for format, codec := range codecs {
		for _, alias := range codec.aliases {
			if alias == text {
				return format, true
			}
		}
	}
	return "", false
}

// MediaType returns the media type, such as image/jpeg.
func (f Format) MediaType() string { return "image/" + string(f) }

// Extension returns the usual extension of file names, without a dot.
func (f Format) Extension() string { return codecs[f].extension }

// Writable reports whether this package encodes the format.
func (f Format) Writable() bool { return codecs[f].quality > 0 }

// Output returns the default output format for an input of format f: f itself, or JPEG for the
// photos of HEIC and PNG for GIF, which are not writable.
func (f Format) Output() Format {
	switch f {
	case HEIC:
		return JPEG
	case GIF:
		return PNG
	}
	return f
}

// alpha reports whether the format supports transparency.
func (f Format) alpha() bool { return f != JPEG }
