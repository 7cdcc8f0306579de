// Package imaging turns encoded pictures into pixels and back. It stands alone
// before libvips and lets in only what it has checked, in forms known to be
// good.
package imaging

import (
	"bytes"
	"context"
	"math"
	"sync/atomic"
)

// Image is an encoded picture whose header has been checked. It is immutable
// and safe for concurrent use.
type Image struct {
	Header
	// Limits are those it was opened with, which bind what is made of it too.
	Limits Limits
	data   []byte
	// sound is set when the image has been decoded without an error.
	sound atomic.Bool
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

// The qualities, with their PSNR against Lanczos3 in double precision and their
// CPU time as a ratio to vips_thumbnail's for JPEGs of 2 to 12 MP; README.md has
// the tables.
const (
	// Fast lets the decoder of JPEGs shrink as far as it can, then filters with
	// Catmull and Rom's cubic: above 30 dB, 0.7 to 0.8.
	Fast Quality = iota
	// Good leaves at least 1.5 times the size to the Lanczos3 filter: above 46 dB,
	// but 35 for bright lines on black; 1.
	Good
	// Best decodes in full and filters with Lanczos3 alone: above 52 dB, 1 to 1.6.
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
// format already, metadata included, a re-encoded upright one otherwise. A file
// that was repaired comes out as the decoder sees it. It fails if the picture
// cannot be decoded, in either case.
func (m *Image) Convert(ctx context.Context, f Format) (Encoded, error) {
	if f == m.Format {
		if err := m.check(ctx); err != nil {
			return Encoded{}, err
		}
		w, h := m.Size()
		if len(m.Repaired) > 0 {
			return Encoded{bytes.Join(m.parts, nil), f, w, h}, nil
		}
		return Encoded{m.data, f, w, h}, nil
	}
	p, err := m.Pixels(ctx)
	if err != nil {
		return Encoded{}, err
	}
	return p.Encode(ctx, f)
}

// check decodes the picture, unless that has been done, as small as it comes
// cheaply.
func (m *Image) check(ctx context.Context) error {
	if m.sound.Load() {
		return nil
	}
	w, h := m.Size()
	_, err := m.scaled(ctx, max(1, w/8), max(1, h/8), Fast)
	return err
}

// Pixels decodes the picture in full, upright.
func (m *Image) Pixels(ctx context.Context) (*Pixels, error) {
	p, err := m.decode(ctx, decoding{shrink: 1, across: 1, down: 1})
	if err != nil {
		return nil, err
	}
	return p.upright(ctx, m.Orientation)
}

// Resize returns the picture at exactly width × height pixels as shown.
func (m *Image) Resize(ctx context.Context, width, height int, q Quality, f Format) (Encoded, error) {
	p, err := m.scaled(ctx, width, height, q)
	if err != nil {
		return Encoded{}, err
	}
	return p.Encode(ctx, f)
}

// scaled returns the picture at width × height pixels, upright.
func (m *Image) scaled(ctx context.Context, width, height int, q Quality) (*Pixels, error) {
	w, h := width, height
	if m.Orientation >= 5 {
		w, h = h, w
	}
	if w == m.Width && h == m.Height {
		return m.Pixels(ctx)
	}
	k := lanczos3
	if q == Fast && !m.uneven() {
		k = catmullRom
	}
	d := decoding{shrink: m.shrinkOnLoad(w, h, q)}
	d.across, d.columns = k.resize(m.Width, d.shrink, w)
	d.down, d.rows = k.resize(m.Height, d.shrink, h)
	p, err := m.decode(ctx, d)
	if err != nil {
		return nil, err
	}
	return p.upright(ctx, m.Orientation)
}

// leastReduction is what a quality leaves to the filter: where that is less, the
// decoder's coarse shrinking shows.
var leastReduction = [...]float64{Fast: 1, Good: 1.5, Best: math.Inf(1)}

// shrinkOnLoad returns how far the decoder shrinks by itself, which libjpeg does
// without decoding all.
func (m *Image) shrinkOnLoad(w, h int, q Quality) int {
	if m.Format != JPEG {
		return 1
	}
	shrink := 1
	for shrink < 8 && m.keepsDetail(2*shrink, w, h, leastReduction[q]) {
		shrink *= 2
	}
	return shrink
}
