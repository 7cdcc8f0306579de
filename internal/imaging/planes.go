package imaging

// #include "planes.h"
// #include <stdlib.h>
import "C"

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"unsafe"
)

// planes are the components of a JPEG as they are stored: grey, or Y, Cb and Cr of ITU-R
// BT.601 in the full range. readPlanes decodes a JPEG to planes, and encode makes a JPEG of
// them. In between, code may change the samples in place.
type planes struct {
	// width and height are in pixels.
	width, height int
	all           []plane
	carried
}

// plane is one component. A sample covers as many pixels across and down as the largest
// sampling factors of all planes divided by its own. The first sample begins where the first
// pixel begins: colours are sited at the centre of their pixels, as in JFIF.
type plane struct {
	sampling
	// width and height are in samples, rounded up if the last sample covers fewer pixels.
	width, height int
	// samples has height rows of width bytes.
	samples []byte
}

// newPlanes returns planes of zeros for an image of width × height pixels.
func newPlanes(width, height int, sampled ...sampling) *planes {
	return emptyPlanes(width, height, sampled...).allocated()
}

// emptyPlanes returns the planes of newPlanes without samples.
func emptyPlanes(width, height int, sampled ...sampling) *planes {
	full := maxSampling(sampled)
	p := &planes{width: width, height: height}
	for _, s := range sampled {
		w, h := ceilDiv(width*s.across, full.across), ceilDiv(height*s.down, full.down)
		p.all = append(p.all, plane{s, w, h, nil})
	}
	return p
}

// allocated gives the planes samples, which are zeros.
func (p *planes) allocated() *planes {
	for i := range p.all {
		c := &p.all[i]
		c.samples = make([]byte, c.width*c.height)
	}
	return p
}

// samplings returns the sampling factors of the planes.
func (p *planes) samplings() []sampling {
	all := make([]sampling, len(p.all))
	for i, c := range p.all {
		all[i] = c.sampling
	}
	return all
}

// planesAt returns the planes, without samples, that the decoder returns at scale/8 of the
// size, for scale from 1 to 8. It returns planes of colour with more samples than the scale
// asks for where it can, so their sizes are not in proportion to their sampling factors.
func (h *Header) planesAt(scale int) []plane {
	full := h.maxSampling()
	all := make([]plane, h.colours)
	for i, s := range h.sampled[:h.colours] {
		size := s.blockSize(scale, full)
		all[i] = plane{
			sampling: s,
			width:    ceilDiv(h.Width*s.across*size, 8*full.across), height: ceilDiv(h.Height*s.down*size, 8*full.down),
		}
	}
	return all
}

// readPlanes decodes an image that hasPlanes to planes of full size, as stored, before
// orientation. It returns the same errors as the general decoder.
func (m *Image) readPlanes(ctx context.Context) (*planes, error) {
	p := newPlanes(m.Width, m.Height, m.sampled[:m.colours]...)
	p.carried = m.carried()
	return p, m.decodePlanes(ctx, 8, p.all)
}

// decodePlanes decodes the image at scale/8 of its size into the samples of planes that have
// the sizes of planesAt.
func (m *Image) decodePlanes(ctx context.Context, scale int, into []plane) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	source := m.planeSource(scale, into, &pin)
	return m.verify(readJPEG(ctx, JPEG, func(stop C.Stop) C.Damage { return C.imaging_decode_planes(source, stop) }))
}

// planeWeights are the weights that resample a plane.
type planeWeights struct{ columns, rows *weights8 }

// pinnedTargets returns the targets of planes for C and pins their memory.
func pinnedTargets(by []planeWeights, into []plane, pin *runtime.Pinner) *C.PlaneTarget {
	targets := make([]C.PlaneTarget, len(into))
	for i, w := range by {
		samples := unsafe.SliceData(into[i].samples)
		pin.Pin(samples)
		targets[i] = C.PlaneTarget{(*C.uint8_t)(samples), w.columns.pinned(pin), w.rows.pinned(pin)}
	}
	first := unsafe.SliceData(targets)
	pin.Pin(first)
	return first
}

// resampleTo writes the plane, resampled, to one of another size.
func (p *plane) resampleTo(ctx context.Context, to *plane, by planeWeights) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	return stoppable(ctx, func(stop C.Stop) C.int {
		both := pinnedPlanes([]plane{*p, *to}, &pin)
		return C.imaging_resample_plane(both, by.columns.pinned(&pin), by.rows.pinned(&pin), stop)
	})
}

// resamplePlanes decodes the image at scale/8 of its size and resamples each plane into the
// samples of another one.
func (m *Image) resamplePlanes(ctx context.Context, scale int, by []planeWeights, into []plane) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	source, targets := m.planeSource(scale, m.planesAt(scale), &pin), pinnedTargets(by, into, &pin)
	return m.verify(readJPEG(ctx, JPEG, func(stop C.Stop) C.Damage {
		return C.imaging_resample_planes(source, targets, stop)
	}))
}

// planeSource returns the image for C and pins its memory.
func (m *Image) planeSource(scale int, sizes []plane, pin *runtime.Pinner) *C.PlaneSource {
	source := &C.PlaneSource{scale: C.int(scale), planes: C.int(len(sizes)), sizes: pinnedPlanes(sizes, pin)}
	source.parts, source.count = pinnedParts(m.parts, pin)
	return source
}

// verify records that the image was decoded if err is nil.
func (m *Image) verify(err error) error {
	if err == nil {
		m.verified.Store(true)
	}
	return err
}

// encode encodes the planes as a JPEG with complete options, their density and their
// sampling factors. The samples of each plane have the size that newPlanes gives it.
func (p *planes) encode(ctx context.Context, e Encoding) (Encoded, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	output := C.JpegOutput{width: C.int(p.width), height: C.int(p.height), quality: C.int(e.Quality)}
	if e.Progressive {
		output.progressive = 1
	}
	var data *C.uchar
	var size C.ulong
	err := stoppable(ctx, func(stop C.Stop) C.int {
		return C.imaging_write_planes(pinnedPlanes(p.all, &pin), C.int(len(p.all)), &output, stop, &data, &size)
	})
	if errors.Is(err, errFailed) {
		return Encoded{}, fmt.Errorf("libjpeg cannot encode %d×%d pixels", p.width, p.height)
	}
	if err != nil {
		return Encoded{}, err
	}
	defer C.free(unsafe.Pointer(data))
	file := p.stamped(JPEG, unsafe.Slice((*byte)(data), size))
	return Encoded{Data: file, Format: JPEG, Width: p.width, Height: p.height, Path: Planar}, nil
}

// jpegDamage returns an error if a JPEG in a file of format f is truncated or damaged. The
// decoders only warn about such damage, or not at all.
func jpegDamage(ctx context.Context, f Format, parts [][]byte) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	first, count := pinnedParts(parts, &pin)
	return readJPEG(ctx, f, func(stop C.Stop) C.Damage { return C.imaging_check_jpeg(first, count, stop) })
}

// readJPEG calls a C function that reads a JPEG in a file of format f, and returns the error
// for its result.
func readJPEG(ctx context.Context, f Format, read func(stop C.Stop) C.Damage) error {
	damage := C.Damage(C.INTACT)
	err := stoppable(ctx, func(stop C.Stop) C.int {
		damage = read(stop)
		return 0
	})
	switch {
	case err != nil:
		return err
	case damage == C.STOPPED:
		return ctx.Err()
	case damage == C.TRUNCATED:
		return invalid("truncated %s: its image data ends too early", f)
	case damage == C.CORRUPT:
		return invalid("corrupt %s: its image data is damaged", f)
	case damage == C.UNREADABLE:
		return invalid("corrupt %s: it cannot be decoded", f)
	}
	return nil
}

// pinnedPlanes returns planes for C and pins their memory.
func pinnedPlanes(all []plane, pin *runtime.Pinner) *C.Plane {
	list := make([]C.Plane, len(all))
	for i, p := range all {
		samples := unsafe.SliceData(p.samples)
		pin.Pin(samples)
		list[i] = C.Plane{
			samples: (*C.uint8_t)(samples), width: C.int(p.width), height: C.int(p.height),
			across: C.int(p.across), down: C.int(p.down),
		}
	}
	first := unsafe.SliceData(list)
	pin.Pin(first)
	return first
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }
