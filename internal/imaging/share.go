package imaging

// #include "planes.h"
import "C"

import (
	"context"
	"image"
	"image/color"
	"runtime"
)

// Share lets several outputs of one image share its decoding. Serve is called for each output, and then the
// images that With returns, in the same format and with any Encoding, decode the image at most once to planes, for
// outputs in the format of a JPEG or WebP, and at most once to pixels, for others. These are held until the Share is
// garbage, at a size that leaves every output at least what it has alone. Images whose
// colours an ICC profile converts decode to pixels for each output: fewer pixels are left to convert. Animations do
// not share. The images of a Share must not be used concurrently.
type Share struct {
	// scale is that of the planes, in eighths; planar counts the outputs that use them.
	scale, planar int
	// shrink is the factor of the decoder for the pixels; general counts the outputs that use them.
	shrink, general int

	planes  map[int][]plane // by their scale
	pixels  *Pixels
	trimmed *image.Rectangle
}

// Serve makes the Share serve an output of which window becomes width × height pixels. The image is the one that
// the output is made of, turned as for ResizeWindow.
func (s *Share) Serve(m *Image, window Window, width, height int, q Quality, f Format) {
	v, e := m.view(window, width, height), m.encodingTo(f)
	switch shrink := m.shrinkOnLoad(v, q); {
	case m.Moves(f):
	case f == m.Format && !e.Lossless && m.isPlanar(v, q, e.Chroma):
		s.planar++
		s.scale = max(s.scale, m.planarScale(v, m.outputPlanes(v, e.Chroma), q))
	case m.sharesPixels():
		if s.general++; s.general == 1 || shrink < s.shrink {
			s.shrink = shrink
		}
	}
}

// With returns the image with the Share.
func (m *Image) With(s *Share) *Image {
	return &Image{Header: m.Header, Limits: m.Limits, data: m.data, share: s}
}

// EncodedBy returns the image with another Encoding.
func (m *Image) EncodedBy(e Encoding) *Image {
	other := m.With(m.share)
	other.Encoding = e
	return other
}

// Footprint returns the memory in bytes of the planes and pixels of an image that the Share holds.
func (s *Share) Footprint(h Header) (bytes int64) {
	if s.planar > 1 {
		for _, p := range h.planesAt(s.scale) {
			bytes += int64(p.width) * int64(p.height)
		}
		bytes += bytes / 3 // smaller planes: a quarter, a sixteenth and so on
	}
	if s.general > 1 {
		bytes += int64(h.Width/s.shrink) * int64(h.Height/s.shrink) * int64(h.channels())
	}
	return bytes
}

// sharesPixels reports whether decoded pixels need no conversion by a profile.
func (m *Image) sharesPixels() bool { return m.appliedProfile() == 0 && !m.fromCodes }

// shrinkOr returns the factor by which a decoder shrinks for an output that may be shrunk by the given one. A nil
// Share has no pixels.
func (s *Share) shrinkOr(m *Image, shrink int) int {
	if s == nil || s.general < 2 || s.shrink > shrink || !m.sharesPixels() {
		return shrink
	}
	return s.shrink
}

// hasPixels reports whether the Share holds the pixels of an image that is shrunk by a factor.
func (s *Share) hasPixels(m *Image, shrink int) bool {
	return s != nil && s.general > 1 && s.shrink == shrink && m.sharesPixels()
}

// decode is Image.decode from the pixels that the Share holds.
func (s *Share) decode(ctx context.Context, m *Image, d decoding) (*Pixels, error) {
	if s.pixels == nil {
		var err error
		if s.pixels, err = m.With(nil).decode(ctx, decoding{shrink: s.shrink, across: 1, down: 1, keepGrey: true}); err != nil {
			return nil, err
		}
	}
	held := s.pixels
	out := NewPixels(held.Width, held.Height, held.Channels)
	out.carried = m.carried()
	length := held.Width * held.Channels
	if d.columns == nil {
		copy(out.Pix, held.Pix)
	} else if err := out.resampleRows(ctx, d, held.Width, held.Height, func(y int, to []byte) {
		copy(to, held.Pix[y*length:])
	}); err != nil {
		return nil, err
	}
	if out.Channels < 3 && !d.keepGrey {
		return out.withColours(), nil
	}
	return out, nil
}

// hasPlanes reports whether the Share has planes at scale/8 of the size.
func (s *Share) hasPlanes(scale int) bool { return s != nil && s.planar > 1 && scale <= s.scale }

// finer returns twice the scale of the planes that the decoder would make for a view, if the Share has these: means of
// samples lose more of the finest details than the decoder.
func (s *Share) finer(v view, scale int) int {
	limit := float64(maxPlanarReduction) * 4 / float64(scale)
	if 2*scale > s.scale || v.Width > limit*float64(v.width) || v.Height > limit*float64(v.height) {
		return scale
	}
	return 2 * scale
}

// resampleShared is resamplePlanes from the planes that the Share holds.
func (m *Image) resampleShared(ctx context.Context, scale int, by []planeWeights, into []plane) error {
	held, err := m.sharedPlanes(ctx, scale)
	for i := range into {
		if err == nil {
			err = held[i].resampleTo(ctx, &into[i], by[i])
		}
	}
	return err
}

// sharedPlanes returns planes at scale/8 of the size. The largest are decoded, and others are means of 2 × 2 samples,
// which is close to what the decoder makes of a block.
func (m *Image) sharedPlanes(ctx context.Context, scale int) (all []plane, err error) {
	s := m.share
	if held := s.planes[scale]; held != nil {
		return held, nil
	}
	all = m.planesAt(scale)
	if scale == s.scale {
		all = (&planes{all: all}).allocated().all
		err = m.holdPlanes(ctx, scale, all)
	} else {
		var larger []plane
		if larger, err = m.sharedPlanes(ctx, 2*scale); err == nil {
			err = halve(ctx, larger, all)
		}
	}
	if err != nil {
		return nil, err
	}
	if s.planes == nil {
		s.planes = map[int][]plane{}
	}
	s.planes[scale] = all
	return all, nil
}

// halve gives smaller planes the samples of larger ones with the same size, and else the means of four.
func halve(ctx context.Context, larger, smaller []plane) error {
	for i := range smaller {
		from, to := &larger[i], &smaller[i]
		if from.width == to.width && from.height == to.height {
			to.samples = from.samples
			continue
		}
		to.samples = make([]byte, to.width*to.height)
		var pin runtime.Pinner
		err := stoppable(ctx, func(C.Stop) C.int {
			C.imaging_halve_plane(pinnedPlanes([]plane{*from, *to}, &pin))
			return 0
		})
		pin.Unpin()
		if err != nil {
			return err
		}
	}
	return nil
}

// holdPlanes decodes the image to planes at scale/8 of its size.
func (m *Image) holdPlanes(ctx context.Context, scale int, into []plane) error {
	if m.Format == JPEG {
		return m.decodePlanes(ctx, scale, into)
	}
	same := make([]planeWeights, len(into))
	for i, p := range into {
		same[i] = planeWeights{identity(p.width), identity(p.height)}
	}
	return m.resampleWebP(ctx, scale, same, into)
}

// identity returns the weights of n outputs that are the inputs.
func identity(n int) *weights8 { return linear.computeWeights(n, n, 1, 1, clamp).fixed() }

// trim is Image.Trim, whose arguments are the same for all images of the Share.
func (s *Share) trim(
	ctx context.Context, m *Image, within image.Rectangle, colour color.Color, tolerance int,
) (image.Rectangle, error) {
	if s.trimmed == nil {
		part, err := m.With(nil).Trim(ctx, within, colour, tolerance)
		if err != nil {
			return within, err
		}
		s.trimmed = &part
	}
	return *s.trimmed, nil
}
