package imaging

// #include "vips.h"
import "C"

import "strings"

// Format is an encoding of pictures.
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

// codecs says what is known of each format. What has no quality, which is in
// [1, 100] and means nothing where nothing is lost, is not written.
var codecs = map[Format]struct {
	extension string
	aliases   []string
	vips      C.Codec
	quality   int
	// opaque and clear are the most bytes per pixel that encoding takes beside the
	// pixels, without and with alpha.
	opaque, clear int
}{
	JPEG: {"jpg", []string{"jpeg", "jpg", "jpe"}, C.JPEG, 85, 6, 0},
	PNG:  {"png", []string{"png"}, C.PNG, 100, 7, 9},
	WebP: {"webp", []string{"webp"}, C.WEBP, 80, 22, 42},
	TIFF: {"tiff", []string{"tiff", "tif"}, C.TIFF, 100, 7, 9},
	GIF:  {"gif", []string{"gif"}, C.GIF, 0, 0, 0},
	AVIF: {"avif", []string{"avif"}, C.AVIF, 60, 26, 30},
}

// FormatOf reads a media type or a file name's extension, with or without its
// dot, in any case.
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

// Writable tells whether pictures are written in this format.
func (f Format) Writable() bool { return codecs[f].quality > 0 }

// Output returns the format of the output where none is asked for: the input's
// own, or PNG where that is not written.
func (f Format) Output() Format {
	if f.Writable() {
		return f
	}
	return PNG
}

// alpha tells whether the format can hold transparency.
func (f Format) alpha() bool { return f != JPEG }
