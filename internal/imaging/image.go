// Package imaging decodes, resizes and encodes images. It is the only package that calls
// libvips, and libvips sees only files whose header this package has checked.
package imaging

import (
	"bytes"
	"context"
	"errors"
	"math"
	"sync/atomic"
)

// Image is an encoded image with a checked header. It is immutable and safe for concurrent
// use.
type Image struct {
	Header
	// Limits are the limits passed to Open. They also apply to images made from this one.
	Limits Limits
	data   []byte
	// share is nil unless outputs share the decoding of the image.
	share *Share
	// verified is set after the image was decoded without an error.
	verified atomic.Bool
}

// Encoded is the result of encoding an image.
type Encoded struct {
	Data   []byte
	Format Format
	// Width and Height are in pixels.
	Width, Height int
	// Path is the way in which the image was made.
	Path Path
	// Quality is the quality that was found for Encoding.MaxBytes; 0 if there is no maximum.
	Quality int
	// Encodes counts how often pixels were encoded to make this output; 0 if they were not.
	Encodes int
	// Frames is the number of frames of an animation; 0 for a still image.
	Frames int
}

// Path is a way to make an image from another one.
type Path string

// The paths.
const (
	// General decodes to pixels of red, green and blue, with libvips.
	General Path = "general"
	// Planar decodes a JPEG or a lossy WebP to its planes and encodes planes, with libjpeg or
	// libwebp.
	Planar Path = "planar"
	// Unchanged hands on the bytes of the input.
	Unchanged Path = "unchanged"
)

// Quality selects between speed and fidelity of a resize.
type Quality int

// The qualities. The contract, proto/imageflow/v1/resize.proto, states the minimum PSNR of
// each for photographs. README.md has measured values of PSNR and CPU time.
const (
	// Fast lets the JPEG decoder shrink as far as it can, then filters with the Catmull-Rom
	// cubic.
	Fast Quality = iota
	// Good lets the JPEG decoder shrink to at least 1.5 times the size, then filters with
	// Lanczos3.
	Good
	// Best decodes at full size and filters with Lanczos3 only.
	Best
	// Triangle decodes at full size and filters with the triangle kernel: BILINEAR of Pillow, and
	// torchvision's resize with antialias. It is for models that are trained so.
	Triangle
	// Bilinear decodes at full size and interpolates between the nearest pixels, without a filter
	// against aliasing: INTER_LINEAR of OpenCV. It is for models that are trained so.
	Bilinear
	// BilinearAsymmetric is Bilinear with output pixel i at i · inputs/outputs, so that the first
	// pixels coincide and not the edges of the images: the coordinate_transformation_mode
	// "asymmetric" of ONNX's Resize, and TensorFlow's resize_bilinear without half_pixel_centers.
	BilinearAsymmetric
)

// isBilinear reports whether a quality interpolates between the nearest pixels of the full size.
func (q Quality) isBilinear() bool { return q == Bilinear || q == BilinearAsymmetric }

// kernel returns the filter kernel of a quality.
func (q Quality) kernel() kernel {
	switch q {
	case Fast:
		return catmullRom
	case Good, Best:
		return lanczos3
	}
	return linear
}

// edge returns what a quality sees beyond the edges of the image.
func (q Quality) edge() edge {
	if q == Triangle { // as in Pillow
		return omit
	}
	return clamp
}

// Open parses and checks the header of an image. Its errors are InputErrors.
func Open(data []byte, limits Limits) (*Image, error) {
	h, err := ParseHeader(data, limits)
	if err != nil {
		return nil, err
	}
	return &Image{Header: h, Limits: limits, data: data}, nil
}

// Convert returns the image in format f. If it already has that format and its Encoding has no
// options, Convert returns its own bytes with all metadata, or the repaired file. Otherwise it
// re-encodes the image upright. In both cases it fails if the image cannot be decoded.
func (m *Image) Convert(ctx context.Context, f Format) (Encoded, error) {
	if f == m.Format && m.Encoding == (Encoding{}) && m.isWhole() {
		if err := m.check(ctx); err != nil {
			return Encoded{}, err
		}
		w, h := m.Size()
		if len(m.Repaired) > 0 && m.selected.Count <= 1 {
			return Encoded{Data: bytes.Join(m.parts, nil), Format: f, Width: w, Height: h, Path: Unchanged}, nil
		}
		return Encoded{Data: m.data, Format: f, Width: w, Height: h, Path: Unchanged, Frames: m.movingFrames()}, nil
	}
	if m.Moves(f) {
		return m.Animate(ctx, f, func(ctx context.Context, frame *Image) (*Pixels, error) { return frame.Pixels(ctx) })
	}
	p, err := m.Pixels(ctx)
	if err != nil {
		return Encoded{}, err
	}
	return p.Encode(ctx, f)
}

// check decodes the image at a small size, unless an earlier call has decoded it.
func (m *Image) check(ctx context.Context) error {
	if m.verified.Load() {
		return nil
	}
	if m.hasPlanes() {
		return m.verify(jpegDamage(ctx, JPEG, m.parts))
	}
	w, h := m.Size()
	_, err := m.scaled(ctx, max(1, w/8), max(1, h/8), Fast)
	return err
}

// Pixels decodes the image at full size, upright.
func (m *Image) Pixels(ctx context.Context) (*Pixels, error) {
	return m.upright(ctx, fullSize)
}

// Resize returns the image upright, resized to exactly width × height pixels, in format f.
func (m *Image) Resize(ctx context.Context, width, height int, q Quality, f Format) (Encoded, error) {
	return m.ResizeWindow(ctx, m.Whole(), width, height, q, f)
}

// ResizeWindow is Resize for a window of the upright image. At its edges, the filters see the
// image around it. Damage anywhere in the image is an error.
func (m *Image) ResizeWindow(
	ctx context.Context, window Window, width, height int, q Quality, f Format,
) (Encoded, error) {
	v := m.view(window, width, height)
	if e := m.encodingTo(f); f == m.Format && !e.Lossless && m.isPlanar(v, q, e.Chroma) {
		out, err := m.resizePlanes(ctx, v, q, e)
		if !errors.Is(err, errFailed) {
			return out, err
		}
	}
	d := m.scaling(v, q)
	d.keepGrey = (f == PNG || f == JPEG) && m.Encoding.Profile != DisplayP3
	p, err := m.upright(ctx, d)
	if err != nil {
		return Encoded{}, err
	}
	return p.Encode(ctx, f)
}

// ScaledWindow returns a window of the upright image, resized to exactly width × height pixels.
// For the window see ResizeWindow.
func (m *Image) ScaledWindow(ctx context.Context, window Window, width, height int, q Quality) (*Pixels, error) {
	return m.upright(ctx, m.scaling(m.view(window, width, height), q))
}

// scaled returns the image upright, resized to exactly width × height pixels.
func (m *Image) scaled(ctx context.Context, width, height int, q Quality) (*Pixels, error) {
	return m.ScaledWindow(ctx, m.Whole(), width, height, q)
}

// scaling returns how to decode a view of the image.
func (m *Image) scaling(v view, q Quality) decoding {
	across, down := m.part(v)
	if across == 1 && down == 1 && v.width == m.Width && v.height == m.Height {
		return fullSize
	}
	k := q.kernel()
	if q == Fast && m.unevenSampling() {
		k = lanczos3
	}
	d := decoding{shrink: m.share.shrinkOr(m, m.shrinkOnLoad(v, q)), across: 1, down: 1}
	if q.isBilinear() {
		across, down, mirrored := v.Width/float64(v.width), v.Height/float64(v.height), mirrorings[m.Orientation]
		left, top := v.Left+q.shift(across, mirrored.across), v.Top+q.shift(down, mirrored.down)
		d.columns = linear.computeWeightsFrom(left, m.Width, v.width, across, 1, clamp)
		d.rows = linear.computeWeightsFrom(top, m.Height, v.height, down, 1, clamp)
		if q == Bilinear {
			d.columns, d.rows = d.columns.openCV(), d.rows.openCV()
		}
		return d
	}
	d.across, d.columns = k.resize(v.Left, v.Width, m.Width/d.shrink, d.shrink, v.width, q.edge())
	d.down, d.rows = k.resize(v.Top, v.Height, m.Height/d.shrink, d.shrink, v.height, q.edge())
	return d
}

// shift returns by how many pixels the outputs of a quality are shifted along one side, for outputs of
// scale pixels. Mirrored outputs are mirrored later.
func (q Quality) shift(scale float64, mirrored bool) float64 {
	switch {
	case q != BilinearAsymmetric:
		return 0
	case mirrored:
		return (scale - 1) / 2
	}
	return (1 - scale) / 2
}

var fullSize = decoding{shrink: 1, across: 1, down: 1}

// upright decodes the image, with the colours of its outputs, and turns it upright.
func (m *Image) upright(ctx context.Context, d decoding) (*Pixels, error) {
	p, err := m.decode(ctx, d)
	if err == nil {
		err = m.toOutputProfile(ctx, p)
	}
	if err != nil {
		return nil, err
	}
	return p.upright(ctx, m.Orientation)
}

// minReduction is the minimum reduction that each quality leaves to the filter. Below it,
// the coarse shrinking of the decoder becomes visible.
var minReduction = [...]float64{
	Fast: 1, Good: 1.5, Best: math.Inf(1), Triangle: math.Inf(1), Bilinear: math.Inf(1), BilinearAsymmetric: math.Inf(1),
}

// shrinkOnLoad returns the factor by which the decoder shrinks: 1, 2, 4 or 8. libjpeg
// decodes a shrunk image faster than a full one.
func (m *Image) shrinkOnLoad(v view, q Quality) int {
	if m.Format != JPEG {
		return 1
	}
	shrink := 1
	for shrink < 8 && m.keepsDetail(2*shrink, v, minReduction[q]) {
		shrink *= 2
	}
	return shrink
}
