package imaging

import (
	"cmp"
	"context"
	"math"
	"runtime"
)

// HasFrames reports whether outputs in the format can have several frames.
func (f Format) HasFrames() bool { return codecs[f].animated.write }

// frameWriter encodes an animation. All frames have the same size.
type frameWriter interface {
	// add adds a frame with the time in milliseconds for which it is shown.
	add(ctx context.Context, p *Pixels, delay int) error
	// finish returns the file.
	finish() ([]byte, error)
	close()
}

// Animate makes an animation in format f from the selected frames, with their delays and number
// of plays. change makes the pixels of an output's frame, all of which have the same size. WebP
// joins equal frames that follow each other, and is a still image if one is left. Only a frame at a
// time is in memory, besides the encoded ones. In Auto, change is called for each frame and candidate.
func (m *Image) Animate(
	ctx context.Context, f Format, change func(context.Context, *Image) (*Pixels, error),
) (Encoded, error) {
	if f == Auto {
		return smallest(m.Encoding.movingCandidates(), func(f Format) (Encoded, error) {
			one := &Image{Header: m.Header, Limits: m.Limits, data: m.data}
			one.Encoding = m.Encoding.in(f)
			return one.Animate(ctx, f, change)
		})
	}
	return m.encodingTo(f).fit(func(e Encoding) (Encoded, error) { return m.animate(ctx, f, e, change) })
}

func (m *Image) animate(
	ctx context.Context, f Format, e Encoding, change func(context.Context, *Image) (*Pixels, error),
) (Encoded, error) {
	var out frameWriter
	var last *Pixels
	garbage := 0
	defer func() {
		if out != nil {
			out.close()
		}
	}()
	err := m.EachFrame(ctx, func(i int, frame *Image) error {
		p, err := change(ctx, frame)
		if err == nil && p.Channels == 4 && !e.keepsAlpha(f) {
			p, err = p.flatten(ctx, cmp.Or(e.Background, white))
		}
		if err == nil && out == nil {
			out, err = m.newFrameWriter(f, e, p)
		}
		if last = p; err != nil {
			return err
		}
		if garbage += 2 * len(p.Pix); garbage > maxGarbage { // GOGC may allow several times the memory
			runtime.GC()
			garbage = 0
		}
		return out.add(ctx, p, m.animation.frames[m.selected.First+i].delay)
	})
	if err != nil {
		return Encoded{}, err
	}
	data, err := out.finish()
	if err != nil {
		return Encoded{}, err
	}
	written, err := ParseHeader(data, Limits{MaxSide: math.MaxInt, MaxPixels: math.MaxInt64})
	return Encoded{
		Data: last.metadata.addTo(f, data), Format: f, Width: last.Width, Height: last.Height, Path: General,
		Frames: written.movingFrames(),
	}, err
}

// movingFrames returns the number of frames of an animation, or 0 for a still image.
func (h Header) movingFrames() int {
	if n := h.AnimationFrames(); n > 1 {
		return n
	}
	return 0
}

// maxGarbage is the size in bytes of frames from which they are collected.
const maxGarbage = 32 << 20

// newFrameWriter returns the encoder of an animation whose first frame is p.
func (m *Image) newFrameWriter(f Format, e Encoding, p *Pixels) (frameWriter, error) {
	pixels := int64(m.selected.Count) * int64(p.Width) * int64(p.Height)
	if limit := cmp.Or(m.Limits.MaxAnimationPixels, defaultMaxAnimationPixels); pixels > limit {
		return nil, invalid("%d frames of %d×%d pixels: more than MAX_ANIMATION_PIXELS=%d",
			m.selected.Count, p.Width, p.Height, limit)
	}
	if f == GIF {
		return newGIFWriter(p.Width, p.Height, m.animation.plays), nil
	}
	return newWebPWriter(p.Width, p.Height, m.animation.plays, e)
}

// encodedPixel is the maximum size of an animation in bytes per pixel of its frames, with the copies
// that are made of it. Noise in every frame compresses worst.
func (e Encoding) encodedPixel(f Format) int64 {
	switch {
	case f == GIF:
		return 6
	case e.Lossless:
		return 10
	case e.Quality > codecs[f].quality:
		return 12
	}
	return 6
}

// framesHeld are the copies of a frame that encoders of animations hold, in bytes per pixel.
const framesHeld = 16

// animationFootprint is footprint for an animation whose frames have this many pixels.
func (h Header) animationFootprint(pixels int64, f Format, changing int64) int64 {
	e, channels := h.encodingTo(f), int64(4)
	each := changing*channels + channels
	if encoding := e.footprint(f, pixels, e.keepsAlpha(f)) + framesHeld*pixels; encoding > each*pixels {
		each = encoding / max(1, pixels)
	}
	all := pixels * int64(h.selected.Count)
	return h.ReadFootprint() + pixels*(2*channels+each) + min(2*maxGarbage, 2*channels*all) + all*e.encodedPixel(f)
}

// drawing returns the memory in bytes for drawing the frames on a canvas.
func (h Header) drawing() int64 {
	frame := int64(0) // the pixels of the largest one
	for _, f := range h.animation.frames[:h.selected.First+h.SelectedFrames()] {
		frame = max(frame, int64(f.at.Dx())*int64(f.at.Dy()))
	}
	const canvas = 4
	switch h.Format {
	case GIF:
		return 2*canvas*h.pixels() + frame
	case PNG:
		return 2*canvas*h.pixels() + (4+max(int64(h.held), 9))*frame
	}
	return 2*canvas*h.pixels() + 8*frame
}
