package imaging

import (
	"fmt"
	"image/color"
)

// Encoding are the options of an encoder. The zero value has the defaults of each format.
type Encoding struct {
	// Quality is in [1, 100]; 0 means the default of the format.
	Quality int
	// MaxBytes is the maximum size of the output; 0 means none. Quality is then the highest one
	// that is tried.
	MaxBytes int
	// Lossless keeps every value of every pixel.
	Lossless bool
	// Progressive stores a coarse version of the whole image first.
	Progressive bool
	// Chroma is the resolution of the colours.
	Chroma Chroma
	// Speed is in [5, 9], from the smallest file to the least time; 0 means 8. The efforts of libjxl
	// are 7 to 3.
	Speed int
	// Compression is in [1, 9], from the least time to the smallest file; 0 means 1.
	Compression int
	// Palette reduces the colours to 256 at most.
	Palette bool
	// Background is blended with transparent pixels. A zero value keeps transparency if the
	// format has it; otherwise it means white.
	Background color.RGBA
	// Keep selects the metadata that the output keeps.
	Keep Keep
	// Profile selects the colours of the output.
	Profile Profile
}

var white = color.RGBA{255, 255, 255, 255}

// Chroma is the resolution of the colours, compared with luma.
type Chroma int

// The resolutions of colours.
const (
	// ChromaByQuality is Chroma420 below quality 90 and Chroma444 from there on.
	ChromaByQuality Chroma = iota
	// Chroma420 has half the resolution along both sides.
	Chroma420
	// Chroma444 has the full resolution.
	Chroma444
)

// UnsupportedError reports an option that a format does not have.
type UnsupportedError struct {
	// Option is the name of the option in the contract.
	Option string
	Format Format
}

// Error names the option and the format.
func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("the format %s has no option %s", e.Format, e.Option)
}

// Check returns an UnsupportedError for the first option that format f does not have.
func (e Encoding) Check(f Format) error {
	for _, option := range e.list(codecs[f].options) {
		if option.used && !option.have {
			return &UnsupportedError{option.name, f}
		}
	}
	return nil
}

// option is an option of an encoder, whether it is used and whether the format has it.
type option struct {
	name       string
	used, have bool
}

// list lists the options that not all formats have.
func (e Encoding) list(has options) []option {
	return []option{
		{"quality", e.Quality != 0, has.quality},
		{"max_bytes", e.MaxBytes != 0, has.quality},
		{"lossless", e.Lossless, has.lossless},
		{"progressive", e.Progressive, has.progressive},
		{"chroma", e.Chroma != ChromaByQuality, has.chroma},
		{"keep", e.Keep != KeepNothing, has.metadata},
		{"profile", e.Profile != SRGB, has.metadata},
		{"speed", e.Speed != 0, has.speed},
		{"compression", e.Compression != 0, has.compression},
		{"palette", e.Palette, has.compression},
	}
}

// options are the options that a format has.
type options struct{ quality, lossless, progressive, chroma, speed, metadata, compression bool }

// fastEncoding is the speed of encoders that have the option, unless it is given.
const fastEncoding = 8

// minFullChroma is the lowest quality at which colours keep the full resolution by default.
const minFullChroma = 90

// complete returns the options with their defaults for format f. quality is the default quality.
func (e Encoding) complete(f Format, quality int) Encoding {
	if e.Quality == 0 {
		e.Quality = quality
	}
	switch {
	case e.Chroma != ChromaByQuality:
	case e.Quality < minFullChroma || !codecs[f].options.chroma:
		e.Chroma = Chroma420
	default:
		e.Chroma = Chroma444
	}
	if e.Speed == 0 {
		e.Speed = fastEncoding
	}
	if e.Compression == 0 {
		e.Compression = 1
	}
	return e
}

// keepsAlpha reports whether an output in format f has the transparency of the image.
func (e Encoding) keepsAlpha(f Format) bool { return f.alpha() && e.Background == color.RGBA{} }

// encodingTo returns the options for an output in format f.
func (h *Header) encodingTo(f Format) Encoding { return h.Encoding.complete(f, codecs[f].quality) }
