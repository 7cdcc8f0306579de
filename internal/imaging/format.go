package imaging

import (
	"strings"

	"github.com/h2non/bimg"
)

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

// codecs says what is known of each format. What has no vips type is not
// written.
var codecs = map[Format]struct {
	extension string
	aliases   []string
	vips      bimg.ImageType
}{
	JPEG: {"jpg", []string{"jpeg", "jpg", "jpe"}, bimg.JPEG},
	PNG:  {"png", []string{"png"}, bimg.PNG},
	WebP: {"webp", []string{"webp"}, bimg.WEBP},
	TIFF: {"tiff", []string{"tiff", "tif"}, bimg.TIFF},
	GIF:  {"gif", []string{"gif"}, bimg.UNKNOWN},
	AVIF: {"avif", []string{"avif"}, bimg.AVIF},
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
func (f Format) Writable() bool { return codecs[f].vips != bimg.UNKNOWN }

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

// strips tells whether bimg leaves the source's metadata out of this format
// when asked to: it does not ask libvips for TIFF, and libvips 8.14 does not
// heed it for WebP.
func (f Format) strips() bool { return f != TIFF && f != WebP }
