package imaging

import (
	"cmp"
	"context"
	"fmt"
	"image"
)

// animation describes the frames of an animated GIF, WebP or PNG.
type animation struct {
	frames []frame
	// plays is how often the animation is shown; 0 means without end.
	plays int
	// fault is the reason why the frames cannot be decoded, though the first one may; "" means none.
	fault string
	// holes reports whether pixels of the canvas may be transparent though those of frames are not.
	holes bool
	// apart reports whether the image that decoders of stills read is no frame.
	apart bool
}

// frame is one frame of an animation, as stored.
type frame struct {
	// at is its place on the canvas, in pixels. In a GIF it may reach beyond the canvas.
	at image.Rectangle
	// delay is the time in milliseconds for which the frame is shown.
	delay    int
	disposal disposal
	// over: the frame is blended with the canvas. Otherwise it replaces its part of the canvas.
	over bool
	// begin is the offset of the frame in the file: of the image descriptor of a GIF, or of the
	// chunk after the fcTL of a PNG.
	begin int64
	// transparent is the transparent colour of a frame of a GIF; -1 means none.
	transparent int
}

// disposal is what happens to the canvas after a frame was shown. By default it stays as it is.
type disposal int

const (
	// clearFrame makes the place of the frame transparent.
	clearFrame disposal = 1 + iota
	// restoreCanvas restores the canvas from before the frame.
	restoreCanvas
)

// maxRecorded bounds the number of frames that a parser records, and so their memory.
const maxRecorded = 1 << 16

// add records a frame.
func (a *animation) add(f frame) {
	if len(a.frames) < maxRecorded {
		a.frames = append(a.frames, f)
	}
}

// Selection selects frames of an animation, or a page of a document. The zero value selects all
// frames for an output with several, and the first one for others.
type Selection struct {
	// First is the number of the first frame or page, from 0.
	First int
	// Count is the maximum number of frames; 0 means all from First on, if the output has several.
	Count int
}

// SelectionError reports a Selection that an image or an output does not have.
type SelectionError struct {
	// Field is the name of the field in the contract: page or pages.
	Field, Reason string
}

// Error returns the reason.
func (e *SelectionError) Error() string { return e.Reason }

// The maximum number of frames of an animation, and of their pixels, unless Limits has others.
const (
	defaultMaxFrames          = 1000
	defaultMaxAnimationPixels = 160_000_000
)

// Select returns the image with a selection of its frames or pages. severalFrames: the output may
// have several frames. Its errors are SelectionErrors and InputErrors.
func (m *Image) Select(s Selection, severalFrames bool) (*Image, error) {
	if s.Count > 1 && (m.animation == nil || !severalFrames) {
		return nil, &SelectionError{"pages", m.onlyOne()}
	}
	if m.Format == TIFF && m.Animated && s != (Selection{}) {
		return m.page(s.First)
	}
	count := 1
	if severalFrames && m.animation != nil {
		count = cmp.Or(s.Count, max(1, len(m.animation.frames)-s.First))
	}
	switch {
	case s.First == 0 && count == 1 && (s.Count == 0 || m.animation == nil):
		return m, nil
	case m.animation == nil:
		return nil, m.noSuchPage(1)
	}
	frames := len(m.animation.frames)
	if s.First >= frames {
		return nil, m.noSuchPage(frames)
	}
	s.Count = min(count, frames-s.First)
	chosen := &Image{Header: m.Header, Limits: m.Limits, data: m.data}
	chosen.selected, chosen.number = s, s.First
	if err := m.checkAnimation(s); chosen.draws() && err != nil {
		return nil, err
	}
	return chosen, nil
}

// onlyOne returns the reason why an output has only one frame or page.
func (m *Image) onlyOne() string {
	switch {
	case m.animation != nil:
		return "the output has only one frame: leave it out, or ask for image/webp or image/gif"
	case m.Format == TIFF:
		return "an output has only one page: leave it out, and choose the page by page"
	}
	return fmt.Sprintf("the %s is no animation: leave it out", m.Format)
}

func (m *Image) noSuchPage(frames int) error {
	reason := fmt.Sprintf("there is no such frame or page: of the %s, %d can be chosen, from 0 on", m.Format, frames)
	return &SelectionError{"page", reason}
}

// checkAnimation checks the limits of the frames up to the last selected one, since each is drawn
// on the ones before.
func (m *Image) checkAnimation(s Selection) error {
	if m.animation.fault != "" {
		return invalid("%s", m.animation.fault)
	}
	count, pixels := s.First+s.Count, int64(0)
	if limit := cmp.Or(m.Limits.MaxFrames, defaultMaxFrames); count > limit {
		return invalid("%d frames: more than MAX_ANIMATION_FRAMES=%d", count, limit)
	}
	limit := cmp.Or(m.Limits.MaxAnimationPixels, defaultMaxAnimationPixels)
	for _, f := range m.animation.frames[:count] {
		each := int64(f.at.Dx()) * int64(f.at.Dy())
		if each > m.Limits.MaxPixels {
			return invalid("a frame of %d×%d pixels: more than MAX_IMAGE_PIXELS=%d", f.at.Dx(), f.at.Dy(), m.Limits.MaxPixels)
		}
		if pixels += max(m.pixels(), each); pixels > limit {
			return invalid("%d frames of %d×%d pixels: more than MAX_ANIMATION_PIXELS=%d", count, m.Width, m.Height, limit)
		}
	}
	return nil
}

// draws reports whether frames have to be drawn on a canvas. Otherwise the decoder of a still image
// reads the only frame.
func (h Header) draws() bool { return h.selected.Count > 1 || h.drawsFirst() }

// drawsFirst reports whether the first selected frame has to be drawn on a canvas.
func (h Header) drawsFirst() bool {
	return h.selected.First > 0 || h.animation != nil && h.animation.apart
}

// AnimationFrames returns the number of frames of the file from which an animation can be made; 1 for
// other images.
func (h Header) AnimationFrames() int {
	if h.animation == nil {
		return 1
	}
	return max(1, len(h.animation.frames))
}

// Number returns the number of the frame, or of the first one that is selected, from 0.
func (h Header) Number() int { return h.number }

// CanMove reports whether outputs in format f can have several frames: in Auto, in one of its candidates.
func (h Header) CanMove(f Format) bool {
	return f.HasFrames() || f == Auto && len(h.Encoding.movingCandidates()) > 0
}

// Moves reports whether several frames are selected and an output in format f can have them. It is made
// by Animate. Other outputs are made from the first one.
func (h Header) Moves(f Format) bool { return h.selected.Count > 1 && h.CanMove(f) }

// SelectedFrames returns the number of frames that are selected.
func (h Header) SelectedFrames() int { return max(1, h.selected.Count) }

// isWhole reports whether the file is its own output: all frames are selected, or the first one by
// default, which a repair must not leave out.
func (h Header) isWhole() bool {
	if h.selected == (Selection{}) {
		return !h.isPage && (!h.drawsFirst() || len(h.Repaired) == 0)
	}
	return h.selected.First == 0 && h.selected.Count == len(h.animation.frames)
}

// canvases draws the frames of an animation on its canvas, one after the other.
type canvases interface {
	// next draws the next frame, which is f, and returns the canvas: width × height pixels of RGBA with
	// straight alpha, which are valid until the next call. Its errors are InputErrors, and the
	// context's.
	next(ctx context.Context, f frame) ([]byte, error)
	close()
}

// canvases returns the decoder of the animation.
func (m *Image) canvases() canvases {
	switch m.Format {
	case GIF:
		return newGIFCanvases(m)
	case PNG:
		return &pngCanvases{newCanvas(m), m}
	}
	return newWebPCanvases(m)
}

// EachFrame calls do with each selected frame, as an image of its own, which is valid during the
// call. i counts the frames from 0.
func (m *Image) EachFrame(ctx context.Context, do func(i int, frame *Image) error) error {
	if !m.draws() {
		return do(0, m)
	}
	drawn := m.canvases()
	defer drawn.close()
	for i := range m.selected.First + m.SelectedFrames() {
		canvas, err := drawn.next(ctx, m.animation.frames[i])
		if err == nil {
			err = ctx.Err()
		}
		if err == nil && i >= m.selected.First {
			err = do(i-m.selected.First, m.frameImage(i, canvas))
		}
		if err != nil {
			return err
		}
	}
	if m.isWhole() {
		m.verified.Store(true)
	}
	return nil
}

// frameImage returns a frame of an animation as an image.
func (m *Image) frameImage(number int, canvas []byte) *Image {
	h := m.Header
	h.number, h.canvas = number, canvas
	h.Alpha = h.Alpha || h.animation.holes
	h.animation, h.selected, h.Animated, h.Repaired = nil, Selection{}, false, nil
	h.png, h.inspect, h.parts, h.ycc = nil, nil, nil, false
	if h.icc = nil; m.Format == WebP && h.profile == h.colours {
		h.icc = h.metadata.profile.icc()
	}
	return &Image{Header: h, Limits: m.Limits}
}

// decodeCanvas decodes a frame of an animation, like decode.
func (m *Image) decodeCanvas(ctx context.Context, d decoding) (*Pixels, error) {
	length, channels := 4*m.Width, m.channels()
	p, err := m.decodeRows(ctx, d, func(y int, out []byte) {
		row := m.canvas[y*length : (y+1)*length]
		if channels == 4 {
			copy(out, row)
			return
		}
		for i, o := 0, 0; i < len(row); i, o = i+4, o+3 {
			out[o], out[o+1], out[o+2] = row[i], row[i+1], row[i+2]
		}
	})
	return m.toSRGB(ctx, p, err)
}

// decodeSelected decodes the first selected frame, like decode.
func (m *Image) decodeSelected(ctx context.Context, d decoding) (p *Pixels, err error) {
	one := &Image{Header: m.Header, data: m.data, Limits: m.Limits}
	one.selected.Count = 1
	err = one.EachFrame(ctx, func(_ int, frame *Image) (err error) {
		p, err = frame.decode(ctx, d)
		return err
	})
	return p, err
}
