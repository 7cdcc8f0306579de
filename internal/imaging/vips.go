package imaging

// #cgo pkg-config: vips
// #include <vips/vips.h>
import "C"

import (
	"fmt"

	"github.com/h2non/bimg"
)

func init() {
	// As the variable VIPS_BLOCK_UNTRUSTED does, which libvips has read by now:
	// the readers of SVG, PDF and the like stay shut, whatever gets past the
	// header check. VIPS_CONCURRENCY is 1 by bimg unless it is set.
	C.vips_block_untrusted_set(C.TRUE)
	// Every picture is new, so libvips' cache of operations only holds memory.
	bimg.VipsCacheSetMax(0)
	bimg.VipsCacheSetMaxMem(0)
}

// The encoders' settings; quality in [1, 100].
const (
	jpegQuality    = 85
	webpQuality    = 80
	avifQuality    = 60
	avifSpeed      = 8 // of 0 to 9: the slower ones take seconds
	pngCompression = 1 // level 6 doubles the time of a resize
)

// options returns what every call to bimg has in common. Automatic rotation is
// never on: in bimg it reads freed memory, so pixels are turned here instead.
func options(f Format) bimg.Options {
	o := bimg.Options{
		Type: codecs[f].vips, NoAutoRotate: true, StripMetadata: true,
		Quality: jpegQuality, Compression: pngCompression,
	}
	switch f {
	case WebP:
		o.Quality = webpQuality
	case AVIF:
		o.Quality, o.Speed = avifQuality, avifSpeed
	}
	return o
}

// process is one call to bimg on a picture from outside: colours become sRGB,
// eight bits a channel.
func (m *Image) process(o bimg.Options) ([]byte, error) {
	if m.profile > 0 && m.profile == m.colours {
		o.OutputICC = "srgb"
		if m.colours == 1 { // made RGB first, grey pictures come out with five channels
			o.Interpretation = bimg.InterpretationBW
		}
	}
	out, err := bimg.Resize(m.data, o)
	if err != nil {
		// bimg's own words can belong to another goroutine's picture.
		return nil, invalid("corrupt %s: it cannot be decoded", m.Format)
	}
	return out, nil
}

// reprocess is one call to bimg on pixels of our own.
func reprocess(carrier []byte, o bimg.Options) ([]byte, error) {
	out, err := bimg.Resize(carrier, o)
	if err != nil {
		return nil, fmt.Errorf("encoding to %s: %w", bimg.ImageTypes[o.Type], err)
	}
	return out, nil
}
