// Package imaging turns encoded pictures into pixels and back. It stands alone
// before libvips and lets in only what it has checked, in forms known to be
// good.
package imaging

import (
	"math"

	"github.com/h2non/bimg"
)

// Image is an encoded picture whose header has been checked. It is immutable
// and safe for concurrent use.
type Image struct {
	Header
	// Limits are those it was opened with, which bind what is made of it too.
	Limits Limits
	data   []byte
}

// Encoded is a picture that has been written.
type Encoded struct {
	Data   []byte
	Format Format
	// Width and Height are in pixels.
	Width, Height int
}

// Quality chooses speed against fidelity of a resize.
type Quality int

// The qualities, with their PSNR against Lanczos3 in double precision on details
// as fine as the output can hold, and the time of a 12 MP JPEG → 800×600.
const (
	// Fast shrinks while decoding as far as it can, then filters: 24 to 44 dB,
	// 30 ms.
	Fast Quality = iota
	// Good leaves at least 1.5 times the size to the Lanczos3 filter: 45 dB, 60 ms.
	// Where the decoder's part does not divide a side, up to 7 pixels at its end
	// are lost: 31 dB.
	Good
	// Best decodes in full and filters with Lanczos3 alone: 48 dB, 290 ms.
	Best
)

// Open checks a picture's header. Its errors are InputErrors.
func Open(data []byte, limits Limits) (*Image, error) {
	h, err := ParseHeader(data, limits)
	if err != nil {
		return nil, err
	}
	return &Image{Header: h, Limits: limits, data: data}, nil
}

// Convert returns the picture in a format: its own bytes where it has the
// format already, metadata included, a re-encoded upright one otherwise.
func (m *Image) Convert(f Format) (Encoded, error) {
	if f == m.Format {
		w, h := m.Size()
		return Encoded{m.data, f, w, h}, nil
	}
	p, err := m.Pixels()
	if err != nil {
		return Encoded{}, err
	}
	return p.Encode(f)
}

// Pixels decodes the picture in full, upright.
func (m *Image) Pixels() (*Pixels, error) {
	p, err := m.decode(1)
	if err != nil {
		return nil, err
	}
	return p.upright(m.Orientation), nil
}

// decode returns the stored picture at 1/shrink of its size, where shrink is a
// power of two up to 8 that the format's decoder can do by itself.
func (m *Image) decode(shrink int) (*Pixels, error) {
	o := options(TIFF)
	if shrink > 1 {
		o.Width, o.Height = max(1, m.Width/shrink), max(1, m.Height/shrink)
		o.Force, o.Interpolator = true, bimg.Bilinear
	}
	data, err := m.process(o)
	if err != nil {
		return nil, err
	}
	return readCarrier(data)
}

// Resize returns the picture at exactly width × height pixels as shown.
func (m *Image) Resize(width, height int, q Quality, f Format) (Encoded, error) {
	w, h := width, height
	if m.Orientation >= 5 {
		w, h = h, w
	}
	if q == Fast && m.direct(w, h) && m.plain(f) {
		data, err := m.process(fastOptions(w, h, f))
		return Encoded{data, f, width, height}, err
	}
	p, err := m.scaled(w, h, q)
	if err != nil {
		return Encoded{}, err
	}
	return p.upright(m.Orientation).Encode(f)
}

// plain tells whether what bimg makes of the picture can be the answer as it is.
func (m *Image) plain(f Format) bool { return m.Orientation == 1 && !m.Alpha && f.strips() }

// direct tells whether one call to bimg brings the stored picture to w × h
// pixels. Both sides must shrink, and alike: bimg begins by shrinking both by
// the factor of the one that shrinks more, if need be to nothing, which ends
// the process.
func (m *Image) direct(w, h int) bool {
	x, y := float64(m.Width)/float64(w), float64(m.Height)/float64(h)
	return !m.Alpha && min(x, y) >= 1 && max(x, y) <= alike*min(x, y)
}

// alike leaves room for the rounding of a side; with 1.02 and a side that
// shrinks to one pixel or more, bimg's power of two never exceeds the side.
const alike = 1.02

// fastOptions is the one call to bimg that measured fastest: with a small
// interpolator it leaves most of the work to the decoder.
func fastOptions(w, h int, f Format) bimg.Options {
	o := options(f)
	o.Width, o.Height, o.Force, o.Interpolator, o.Extend = w, h, true, bimg.Bilinear, bimg.ExtendCopy
	return o
}

// scaled returns the stored picture at w × h pixels.
func (m *Image) scaled(w, h int, q Quality) (*Pixels, error) {
	if q == Fast && m.direct(w, h) {
		data, err := m.process(fastOptions(w, h, TIFF))
		if err != nil {
			return nil, err
		}
		return readCarrier(data)
	}
	p, err := m.decode(m.shrinkOnLoad(w, h, q))
	if err != nil {
		return nil, err
	}
	k := lanczos3
	if q == Fast {
		k = triangle
	}
	return p.mixing(func(p *Pixels) (*Pixels, error) { return p.resized(w, h, k) })
}

// leastReduction is what a good resize leaves to the filter: below it, the
// decoder's coarse shrinking shows.
const leastReduction = 1.5

// shrinkOnLoad returns how far the decoder may shrink by itself.
func (m *Image) shrinkOnLoad(w, h int, q Quality) int {
	if q == Best || m.Format != JPEG && m.Format != WebP {
		return 1
	}
	factor := math.Min(float64(m.Width)/float64(w), float64(m.Height)/float64(h))
	shrink := 1
	for shrink < 8 && factor/float64(2*shrink) >= leastReduction {
		shrink *= 2
	}
	return shrink
}
