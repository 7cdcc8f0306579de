package imaging

import (
	"context"
	"math"
)

// hasPlanes reports whether the image is a JPEG of grey or YCbCr, whose planes can be used as
// they are. Other images have colours that need a conversion.
func (m *Image) hasPlanes() bool {
	return m.Format == JPEG && m.ycc && m.Encoding.Profile != DisplayP3 && m.appliedProfile() != m.colours
}

// maxPlanarReduction limits the rows that a resampler of planes holds.
const maxPlanarReduction = 64

// isPlanar decides how a view of the image is made: on its planes, or by the general path on RGB
// pixels. The planes get the sampling factors for chroma. Their values have the range of the
// image's format, so only that format can be made of them.
func (m *Image) isPlanar(v view, q Quality, chroma Chroma) bool {
	if !m.hasPlanes() && !m.hasWebPPlanes() {
		return false
	}
	scale := float64(m.planarScale(v, m.outputPlanes(v, chroma), q)) / 8
	return v.Width*scale <= float64(maxPlanarReduction*v.width) && v.Height*scale <= float64(maxPlanarReduction*v.height)
}

// scaledPlanes returns the planes of a view of an image that isPlanar, upright.
func (m *Image) scaledPlanes(ctx context.Context, v view, q Quality, chroma Chroma) (*planes, error) {
	out := m.outputPlanes(v, chroma).allocated()
	scale := m.planarScale(v, out, q)
	resample := m.resamplePlanes
	if m.Format == WebP {
		resample = m.resampleWebP
	}
	if m.share.hasPlanes(scale) {
		scale, resample = m.share.finer(v, scale), m.resampleShared
	}
	if err := resample(ctx, scale, m.planarWeights(v, scale, out, q), out.all); err != nil {
		return nil, err
	}
	return out.upright(ctx, m.Orientation)
}

// resizePlanes is ResizeWindow to the format of an image that isPlanar. It returns errFailed for any
// fault that libwebp finds; the general path then decides whether it is damage.
func (m *Image) resizePlanes(ctx context.Context, v view, q Quality, e Encoding) (Encoded, error) {
	p, err := m.scaledPlanes(ctx, v, q, e.Chroma)
	if err != nil {
		return Encoded{}, err
	}
	return m.encodePlanes(ctx, p, e)
}

// encodePlanes encodes planes made of the image in its format.
func (m *Image) encodePlanes(ctx context.Context, p *planes, e Encoding) (Encoded, error) {
	encode := p.encode
	if m.Format == WebP {
		encode = p.encodeWebP
	}
	return e.fit(func(e Encoding) (Encoded, error) { return encode(ctx, e) })
}

// planarWeights returns the weights that resample a view of the planes at scale/8 of the size to
// others.
func (m *Image) planarWeights(v view, scale int, out *planes, q Quality) []planeWeights {
	by := make([]planeWeights, len(out.all))
	for i := range by {
		if i > 1 && m.sampled[i] == m.sampled[i-1] {
			by[i] = by[i-1]
			continue
		}
		columns, rows := m.axes(v, i, scale, out)
		by[i] = planeWeights{columns.weights(q), rows.weights(q)}
	}
	return by
}

// Plane has Height rows of Width samples.
type Plane struct {
	Width, Height int
	Samples       []byte
}

// ResizePlanes returns the planes that Resize from JPEG to JPEG, or from WebP to WebP, encodes:
// Y, Cb and Cr, or grey. It returns nil if Resize makes no planes.
func (m *Image) ResizePlanes(ctx context.Context, width, height int, q Quality) ([]Plane, error) {
	v, chroma := m.wholeView(width, height), m.encodingTo(m.Format).Chroma
	if !m.isPlanar(v, q, chroma) {
		return nil, nil
	}
	p, err := m.scaledPlanes(ctx, v, q, chroma)
	if err != nil {
		return nil, err
	}
	var all []Plane
	for _, c := range p.all {
		all = append(all, Plane{c.width, c.height, c.samples})
	}
	return all, nil
}

// outputPlanes returns planes without samples for a view, before orientation.
func (m *Image) outputPlanes(v view, chroma Chroma) *planes {
	p := emptyPlanes(v.width, v.height, outputSamplings(m.colours, chroma)...)
	p.carried = m.carried()
	return p
}

// planarScale returns the smallest scale, in eighths, at which the decoder leaves the minimum
// reduction of a quality to the filter for each plane of a view, or all samples that the plane
// has. It is a power of 2, since libjpeg-turbo has no vector code for other scales.
func (m *Image) planarScale(v view, out *planes, q Quality) int {
	scale, all := 8, m.planesAt(8)
	across, down := m.part(v)
	if m.Format == WebP { // its decoder has no scales
		return scale
	}
	for ; scale > 1; scale /= 2 {
		for i, in := range m.planesAt(scale / 2) {
			to := out.all[i]
			enough := across*float64(in.width) >= minReduction[q]*float64(to.width) &&
				down*float64(in.height) >= minReduction[q]*float64(to.height)
			if !enough && (in.width < all[i].width || in.height < all[i].height) {
				return scale
			}
		}
	}
	return scale
}

// axes describes the sides of a view of plane i at scale/8 of the size and its output.
func (m *Image) axes(v view, i, scale int, out *planes) (columns, rows axis) {
	full, in, to := m.maxSampling(), m.planesAt(scale)[i], out.all[i]
	outFull, mirrored := maxSampling(out.samplings()), mirrorings[m.Orientation]
	size := in.blockSize(scale, full)
	across := func(pixels float64) float64 { return pixels * float64(in.across*size) / float64(8*full.across) }
	down := func(pixels float64) float64 { return pixels * float64(in.down*size) / float64(8*full.down) }
	columns = axis{
		begin: across(v.Left), length: across(v.Width), samples: in.width,
		outLength: float64(out.width*to.across) / float64(outFull.across), outputs: to.width,
		mirrored: mirrored.across,
	}
	if in.across*size*outFull.across < to.across*scale*full.across {
		columns.refined, columns.refinedSamples = v.Width*float64(scale)/8, ceilDiv(m.Width*scale, 8)
	}
	rows = axis{
		begin: down(v.Top), length: down(v.Height), samples: in.height,
		outLength: float64(out.height*to.down) / float64(outFull.down), outputs: to.height,
		mirrored: mirrored.down,
	}
	if in.down*size*outFull.down < to.down*scale*full.down {
		rows.refined, rows.refinedSamples = v.Height*float64(scale)/8, ceilDiv(m.Height*scale, 8)
	}
	return columns, rows
}

// outputSamplings returns the sampling factors of a JPEG with this number of components.
func outputSamplings(components int, chroma Chroma) []sampling {
	all := []sampling{{1, 1}, {1, 1}, {1, 1}}[:components]
	if components > 1 && chroma == Chroma420 {
		all[0] = sampling{2, 2}
	}
	return all
}

// axis describes how one side of a view of a plane is resampled.
type axis struct {
	// begin and length are those of the window in samples.
	begin, length float64
	// samples counts those of the whole plane. The last one covers less than a sample if the
	// length of the image is not whole.
	samples int
	// outLength is the length of the output in its samples.
	outLength float64
	outputs   int
	// mirrored reports whether the outputs are mirrored later, so that the last one has to be
	// whole instead of the first.
	mirrored bool
	// refined is the length of the window in samples of full resolution, if the output has more
	// samples in proportion to that than the plane; otherwise it is 0. The whole image has
	// refinedSamples of them.
	refined        float64
	refinedSamples int
}

func (a axis) weights(q Quality) *weights8 {
	k := q.kernel()
	enlarges := q != Good && q != Best && (q != Fast || a.length < a.outLength)
	if a.refined == 0 || !enlarges {
		return a.filtered(k, q).fixed()
	}
	// Colours are enlarged to full resolution as decoders do it.
	inputs, scale := a.samples, a.length/a.refined
	enlarged := linear.computeWeights(inputs, a.refinedSamples, scale, 1, clamp)
	a.begin, a.length, a.samples = a.begin/scale, a.refined, a.refinedSamples
	return a.filtered(k, q).after(enlarged, inputs).fixed()
}

// filtered returns the weights of a kernel.
func (a axis) filtered(k kernel, q Quality) *weights {
	scale := a.length / a.outLength
	begin := a.begin + q.shift(scale, a.mirrored)
	if a.mirrored {
		begin += a.length - float64(a.outputs)*scale
	}
	width := math.Max(1, scale)
	if q.isBilinear() {
		width = 1
	}
	return k.computeWeightsFrom(begin, a.samples, a.outputs, scale, width, q.edge())
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
	out := &planes{p.width, p.height, nil, p.carried.turned(orientation)}
	if orientation >= 5 {
		out.width, out.height = p.height, p.width
	}
	for _, c := range p.all {
		turned, err := c.upright(ctx, orientation)
		if err != nil {
			return nil, err
		}
		out.all = append(out.all, turned)
	}
	return out, nil
}

// turnedColumns is how many columns are turned together: as many cache lines as the nearest
// cache has room for.
const turnedColumns = 64

// upright returns the plane turned by an EXIF orientation, 2 to 8.
func (p plane) upright(ctx context.Context, orientation int) (plane, error) {
	out := plane{p.sampling, p.width, p.height, make([]byte, len(p.samples))}
	if orientation >= 5 {
		out = plane{sampling{p.down, p.across}, p.height, p.width, out.samples}
	}
	start, right, down := turning(out.width, out.height, out.width, orientation)
	for x := 0; x < p.width; x += turnedColumns {
		if err := ctx.Err(); err != nil {
			return plane{}, err
		}
		for y := range p.height {
			to := start + x*right + y*down
			for _, v := range p.samples[y*p.width+x : y*p.width+min(x+turnedColumns, p.width)] {
				out.samples[to] = v
				to += right
			}
		}
	}
	return out, nil
}
