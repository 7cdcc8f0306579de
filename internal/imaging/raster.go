package imaging

import (
	"context"
	"slices"
)

// Raster is a decoded image whose colours can be changed: Pixels, or the planes of a JPEG. The
// errors of its filters are only the context's.
type Raster interface {
	// Adjust changes the colours of each pixel.
	Adjust(ctx context.Context, a Adjustment) error
	// Blur applies a Gaussian filter to all colours. sigma is its standard deviation in pixels,
	// above 0. The image is reflected at its edges.
	Blur(ctx context.Context, sigma float64) error
	// Sharpen adds amount × (luma − blurred luma) of a pixel to each of its colours. Luma is
	// defined by ITU-R BT.601, and the blur is a Gaussian with a standard deviation of sigma
	// pixels. amount is in [-10, 10].
	Sharpen(ctx context.Context, sigma, amount float64) error
	// Encode encodes the image as Pixels.Encode does.
	Encode(ctx context.Context, f Format) (Encoded, error)
}

// Adjustment is a linear change of colours. A value v of a pixel with the luma y, both in
// [0, 1], becomes Own × v + Luma × y + Offset, limited to [0, 1]. Luma is defined by ITU-R BT.601.
// Own and Own + Luma are in [0, 5].
type Adjustment struct{ Own, Luma, Offset float64 }

// Raster decodes the image at full size, upright, for an output in format f. A JPEG of grey or
// 4:2:0 that becomes a JPEG stays in planes: filters of colours are linear, so they have the
// same result there.
func (m *Image) Raster(ctx context.Context, f Format) (Raster, error) {
	if f != JPEG || !m.hasUprightPlanes() || !m.hasOutputSamplings() {
		return m.Pixels(ctx)
	}
	return m.uprightPlanes(ctx)
}

// hasUprightPlanes reports whether uprightPlanes can decode the image.
func (m *Image) hasUprightPlanes() bool { return m.hasPlanes() && m.turnsWhole() }

// uprightPlanes decodes the image to planes of full size.
func (m *Image) uprightPlanes(ctx context.Context) (*planes, error) {
	p, err := m.readPlanes(ctx)
	if err != nil {
		return nil, err
	}
	return p.upright(ctx, m.Orientation)
}

// turnsWhole reports whether planes that are turned upright have the samples of an upright JPEG.
// A sample of colour that covers less than the others must not become the first one.
func (m *Image) turnsWhole() bool {
	if m.colours == 1 {
		return true
	}
	full, mirrored := m.maxSampling(), mirrorings[m.Orientation]
	return (!mirrored.across || m.Width%full.across == 0) && (!mirrored.down || m.Height%full.down == 0)
}

// hasOutputSamplings reports whether the planes of a JPEG are grey, or sampled as in the output.
func (m *Image) hasOutputSamplings() bool {
	own := m.sampled[:m.colours]
	return m.colours == 1 || slices.Equal(own, outputSamplings(m.colours, m.encodingTo(JPEG).Chroma))
}

// Encode implements Raster. f is JPEG.
func (p *planes) Encode(ctx context.Context, f Format) (Encoded, error) {
	return p.encoding.complete(f, codecs[f].quality).fit(func(e Encoding) (Encoded, error) { return p.encode(ctx, e) })
}
