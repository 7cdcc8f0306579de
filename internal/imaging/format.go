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
	// held is how many bytes a pixel encoding takes at most, by measurement; where
	// nothing is lost, that is noise, which cannot be made smaller.
	held int
}{
	JPEG: {"jpg", []string{"jpeg", "jpg", "jpe"}, C.JPEG, 85, 5},
	PNG:  {"png", []string{"png"}, C.PNG, 100, 12},
	WebP: {"webp", []string{"webp"}, C.WEBP, 80, 18},
	TIFF: {"tiff", []string{"tiff", "tif"}, C.TIFF, 100, 12},
	GIF:  {"gif", []string{"gif"}, C.GIF, 0, 0},
	AVIF: {"avif", []string{"avif"}, C.AVIF, 60, 28},
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

// Footprint returns how many bytes of memory the picture takes at most, decoded in
// full, turned or laid on white, and encoded again. A resize takes less.
func (h Header) Footprint(f Format) int64 {
	channels := 3
	if h.Alpha {
		channels = 4
	}
	each := channels + h.held + codecs[f].held
	if h.Orientation != 1 || h.Alpha && !f.alpha() {
		each += channels // until the garbage is collected
	}
	return int64(h.Width) * int64(h.Height) * int64(each)
}

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
