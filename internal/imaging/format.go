package imaging

// #include "vips.h"
import "C"

import (
	"maps"
	"slices"
	"strings"
)

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
	BMP  Format = "bmp"
	JXL  Format = "jxl"
)

// codecs describes the formats. quality is in [1, 100]; 0 marks read-only formats, and
// lossless encoders ignore it.
var codecs = map[Format]struct {
	extension string
	// aliases are extensions, and further subtypes of media types, which begin with x-.
	aliases []string
	vips    C.Codec
	quality int
	// usual, fine and lossless are the memory for encoding, at a quality up to the default, at
	// a higher one, and without loss. slow is added for a speed below the default.
	usual, fine, lossless bytesPerPixel
	slow                  int
	options               options
	// animated is about frames beyond the first.
	animated animated
}{
	JPEG: {
		extension: "jpg", aliases: []string{"jpeg", "jpg", "jpe"}, vips: C.JPEG, quality: 85,
		usual: bytesPerPixel{6, 0}, fine: bytesPerPixel{6, 0},
		options: options{quality: true, progressive: true, chroma: true, metadata: true},
	},
	PNG: {
		extension: "png", aliases: []string{"png"}, vips: C.PNG, quality: 100, usual: bytesPerPixel{7, 9},
		animated: animated{read: true}, options: options{metadata: true, compression: true},
	},
	WebP: {
		extension: "webp", aliases: []string{"webp"}, vips: C.WEBP, quality: 80,
		usual: bytesPerPixel{22, 42}, fine: bytesPerPixel{34, 42}, lossless: bytesPerPixel{41, 42},
		animated: movesBoth, options: options{quality: true, lossless: true, metadata: true},
	},
	TIFF: {
		extension: "tiff", aliases: []string{"tiff", "tif"}, vips: C.TIFF, quality: 100, usual: bytesPerPixel{7, 9},
		options: options{metadata: true},
	},
	GIF: {
		extension: "gif", aliases: []string{"gif"}, vips: C.GIF, quality: 100, usual: bytesPerPixel{9, 9},
		animated: movesBoth,
	},
	AVIF: {
		extension: "avif", aliases: []string{"avif"}, vips: C.AVIF, quality: 60,
		usual: bytesPerPixel{26, 30}, fine: bytesPerPixel{52, 58}, lossless: bytesPerPixel{52, 52}, slow: 24,
		options: options{quality: true, lossless: true, chroma: true, speed: true, metadata: true},
	},
	HEIC: {extension: "heic", aliases: []string{"heic", "heif"}, vips: C.HEIC},
	BMP:  {extension: "bmp", aliases: []string{"bmp", "dib", "x-ms-bmp"}},
	JXL: {
		extension: "jxl", aliases: []string{"jxl"}, quality: 75,
		usual: bytesPerPixel{68, 88}, fine: bytesPerPixel{74, 94}, lossless: bytesPerPixel{76, 98}, slow: 16,
		options: options{quality: true, lossless: true, speed: true, metadata: true},
	},
}

// animated reports whether animations are read, and written.
type animated struct{ read, write bool }

var movesBoth = animated{true, true}

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

// WritableFormats names the formats that this package encodes.
func WritableFormats() string {
	var names []string
	for _, f := range slices.Sorted(maps.Keys(codecs)) {
		if f.Writable() {
			names = append(names, string(f))
		}
	}
	return strings.Join(names, ", ")
}

// Output returns the default output format for an input of format f: f itself, or for read-only
// formats JPEG if they are usual for photos, and PNG if not. One frame of a GIF becomes a PNG, too.
func (f Format) Output() Format {
	switch {
	case f == GIF:
		return PNG
	case f.Writable():
		return f
	case f == HEIC:
		return JPEG
	}
	return PNG
}

// alpha reports whether the format supports transparency.
func (f Format) alpha() bool { return f != JPEG }
