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
)

// codecs describes the formats. quality is in [1, 100]; 0 marks read-only formats, and
// lossless encoders ignore it.
var codecs = map[Format]struct {
	extension string
	aliases   []string
	vips      C.Codec
	quality   int
	// usual, fine and lossless are the memory for encoding, at a quality up to the default, at
	// a higher one, and without loss. slow is added for a speed below the default.
	usual, fine, lossless bytesPerPixel
	slow                  int
	options               options
}{
	JPEG: {
		"jpg", []string{"jpeg", "jpg", "jpe"}, C.JPEG, 85, bytesPerPixel{6, 0}, bytesPerPixel{6, 0}, bytesPerPixel{}, 0,
		options{quality: true, progressive: true, chroma: true},
	},
	PNG: {"png", []string{"png"}, C.PNG, 100, bytesPerPixel{7, 9}, bytesPerPixel{}, bytesPerPixel{}, 0, options{}},
	WebP: {
		"webp", []string{"webp"}, C.WEBP, 80, bytesPerPixel{22, 42}, bytesPerPixel{34, 42}, bytesPerPixel{41, 42}, 0,
		options{quality: true, lossless: true},
	},
	TIFF: {"tiff", []string{"tiff", "tif"}, C.TIFF, 100, bytesPerPixel{7, 9}, bytesPerPixel{}, bytesPerPixel{}, 0, options{}},
	GIF:  {"gif", []string{"gif"}, C.GIF, 0, bytesPerPixel{}, bytesPerPixel{}, bytesPerPixel{}, 0, options{}},
	AVIF: {
		"avif", []string{"avif"}, C.AVIF, 60, bytesPerPixel{26, 30}, bytesPerPixel{52, 58}, bytesPerPixel{}, 24,
		options{quality: true, chroma: true, speed: true},
	},
}

// bytesPerPixel is the maximum memory for encoding, without the pixels themselves.
type bytesPerPixel struct{ opaque, withAlpha int }

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

// Output returns the default output format for an input of format f: f itself, or PNG if f
// is not writable.
func (f Format) Output() Format {
	if f.Writable() {
		return f
	}
	return PNG
}

// alpha reports whether the format supports transparency.
func (f Format) alpha() bool { return f != JPEG }
