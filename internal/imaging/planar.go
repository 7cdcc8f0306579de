package imaging

import (
	"context"
	"math"
)

// hasPlanes reports whether the image is a JPEG of grey or YCbCr, whose planes can be used as
// they are. Other images have colours that need a conversion.
func (m *Image) hasPlanes() bool {
	return m.Format == JPEG && m.ycc && m.profile != m.colours
}

// maxPlanarReduction limits the rows that a resampler of planes holds.
const maxPlanarReduction = 64

// isPlanar decides how the image is resized to width × height pixels in format f: on its
// planes, or by the general way on pixels of red, green and blue.
func (m *Image) isPlanar(width, height int, q Quality, f Format) bool {
	if f != JPEG || !m.hasPlanes() {
		return false
	}
	w, h := m.stored(width, height)
	scale := m.planarScale(m.outputPlanes(w, h), q)
	return m.Width*scale <= 8*maxPlanarReduction*w && m.Height*scale <= 8*maxPlanarReduction*h
}

// scaledPlanes returns the planes of an image that isPlanar, upright, resized to exactly
// width × height pixels. They have the sampling factors of a JPEG of the default quality.
func (m *Image) scaledPlanes(ctx context.Context, width, height int, q Quality) (*planes, error) {
	out := m.outputPlanes(m.stored(width, height))
	scale, k := m.planarScale(out, q), lanczos3
	if q == Fast {
		k = catmullRom
	}
	by := make([]planeWeights, len(out.all))
	for i := range by {
		columns, rows := m.axes(i, scale, out)
		by[i] = planeWeights{columns.weights(k), rows.weights(k)}
	}
	if err := m.resamplePlanes(ctx, scale, by, out.all); err != nil {
		return nil, err
	}
	return out.upright(ctx, m.Orientation)
}

// Plane has Height rows of Width samples.
type Plane struct {
	Width, Height int
	Samples       []byte
}

// ResizePlanes returns the planes that Resize to a JPEG encodes: Y, Cb and Cr, or grey. It
// returns nil if Resize makes no planes.
func (m *Image) ResizePlanes(ctx context.Context, width, height int, q Quality) ([]Plane, error) {
	if !m.isPlanar(width, height, q, JPEG) {
		return nil, nil
	}
	p, err := m.scaledPlanes(ctx, width, height, q)
	if err != nil {
		return nil, err
	}
	var all []Plane
	for _, c := range p.all {
		all = append(all, Plane{c.width, c.height, c.samples})
	}
	return all, nil
}

// stored returns the size before orientation of an upright image.
func (m *Image) stored(width, height int) (w, h int) {
	if m.Orientation >= 5 {
		return height, width
	}
	return width, height
}

// outputPlanes returns empty planes for an output of w × h pixels, before orientation.
func (m *Image) outputPlanes(w, h int) *planes {
	p := newPlanes(w, h, outputSamplings(m.colours, codecs[JPEG].quality)...)
	p.density = m.density
	return p
}

// planarScale returns the smallest scale, in eighths, at which the decoder leaves the minimum
// reduction of a quality to the filter for each plane, or all samples that the plane has. It
// is a power of 2, since libjpeg-turbo has no vector code for other scales.
func (m *Image) planarScale(out *planes, q Quality) int {
	scale, all := 8, m.planesAt(8)
	for ; scale > 1; scale /= 2 {
		for i, in := range m.planesAt(scale / 2) {
			to := out.all[i]
			enough := float64(in.width) >= minReduction[q]*float64(to.width) &&
				float64(in.height) >= minReduction[q]*float64(to.height)
			if !enough && (in.width < all[i].width || in.height < all[i].height) {
				return scale
			}
		}
	}
	return scale
}

// axes describes the sides of plane i at scale/8 of the size and its output.
func (m *Image) axes(i, scale int, out *planes) (columns, rows axis) {
	full, in, to := m.maxSampling(), m.planesAt(scale)[i], out.all[i]
	outFull, mirrored := maxSampling(out.samplings()), mirrorings[m.Orientation]
	size := in.blockSize(scale, full)
	columns = axis{
		length: float64(m.Width*in.across*size) / float64(8*full.across), samples: in.width,
		outLength: float64(out.width*to.across) / float64(outFull.across), outputs: to.width,
		mirrored: mirrored.across,
	}
	rows = axis{
		length: float64(m.Height*in.down*size) / float64(8*full.down), samples: in.height,
		outLength: float64(out.height*to.down) / float64(outFull.down), outputs: to.height,
		mirrored: mirrored.down,
	}
	return columns, rows
}

// outputSamplings returns the sampling factors of a JPEG with this number of components: 4:2:0
// for a quality below 90, as in libvips, and 4:4:4 above.
func outputSamplings(components, quality int) []sampling {
	all := []sampling{{1, 1}, {1, 1}, {1, 1}}[:components]
	if components > 1 && quality < 90 {
		all[0] = sampling{2, 2}
	}
	return all
}

// axis describes how one side of a plane is resampled. The lengths are those of the image, in
// samples; the last samples cover less than one if a length is not whole.
type axis struct {
	length, outLength float64
	samples, outputs  int
	// mirrored reports whether the outputs are mirrored later, so that the last one has to be
	// whole instead of the first.
	mirrored bool
}

func (a axis) weights(k kernel) *weights8 {
	scale, begin := a.length/a.outLength, 0.0
	if a.mirrored {
		begin = a.length - float64(a.outputs)*scale
	}
	return k.computeWeightsFrom(begin, a.samples, a.outputs, scale, math.Max(1, scale), clamp).fixed()
}

// mirrorings are the sides of the stored image that each EXIF orientation mirrors.
var mirrorings = [...]struct{ across, down bool }{
	2: {true, false}, 3: {true, true}, 4: {false, true}, 6: {false, true}, 7: {true, true}, 8: {true, false},
}

// upright returns the planes turned by an EXIF orientation, 1 to 8.
func (p *planes) upright(ctx context.Context, orientation int) (*planes, error) {
	if orientation == 1 {
		return p, nil
	}
	out := &planes{p.width, p.height, nil, p.density.turned(orientation)}
	if orientation >= 5 {
		out.width, out.height = p.height, p.width
	}
	for _, c := range p.all {
		turned, err := (&Pixels{Width: c.width, Height: c.height, Channels: 1, Pix: c.samples}).upright(ctx, orientation)
		if err != nil {
			return nil, err
		}
		if orientation >= 5 {
			c.sampling = sampling{c.down, c.across}
		}
		out.all = append(out.all, plane{c.sampling, turned.Width, turned.Height, turned.Pix})
	}
	return out, nil
}
