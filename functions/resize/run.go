package resize

import (
	"context"

	"imageflow.dev/internal/imaging"
)

// run makes the output.
func (p *plan) run(ctx context.Context, m *imaging.Image, q imaging.Quality, f imaging.Format) (imaging.Encoded, error) {
	m = m.Turned(p.quarters, p.mirrored)
	if m.Moves(f) {
		return p.runFrames(ctx, m, q, f)
	}
	if by, ok := p.interest(); ok {
		if p.isResize() && p.isWhole() {
			out, window, err := m.ResizeInteresting(ctx, p.box, p.width, p.height, by, q, f)
			p.window = window
			return out, err
		}
		if err := p.locate(ctx, m, by, q); err != nil {
			return imaging.Encoded{}, err
		}
	}
	if p.isResize() {
		return m.ResizeWindow(ctx, p.visible(), p.shown.Dx(), p.shown.Dy(), q, f)
	}
	if p.angle == 0 {
		return m.ResizePadded(ctx, p.visible(), p.shown.Dx(), p.shown.Dy(), p.canvas.Sub(p.shown.Min), q, f)
	}
	pixels, err := p.output(ctx, m, q, f)
	if err != nil {
		return imaging.Encoded{}, err
	}
	return pixels.Encode(ctx, f)
}

// runFrames makes an animation. ATTENTION and ENTROPY choose one part for all frames, by
// the first one.
func (p *plan) runFrames(
	ctx context.Context, m *imaging.Image, q imaging.Quality, f imaging.Format,
) (imaging.Encoded, error) {
	by, search := p.interest()
	return m.Animate(ctx, f, func(ctx context.Context, frame *imaging.Image) (*imaging.Pixels, error) {
		if search {
			if err := p.locate(ctx, frame, by, q); err != nil {
				return nil, err
			}
			search = false
		}
		return p.output(ctx, frame, q, f)
	})
}

// output returns the pixels of the output, for an image that is turned.
func (p *plan) output(ctx context.Context, m *imaging.Image, q imaging.Quality, f imaging.Format) (*imaging.Pixels, error) {
	pixels, err := p.pixels(ctx, m, q)
	if err != nil || p.canvas == p.shown {
		return pixels, err
	}
	return pixels.Padded(ctx, p.canvas.Sub(p.shown.Min), f)
}

// locate moves the window to the most interesting place. It costs a decoding of its own.
func (p *plan) locate(ctx context.Context, m *imaging.Image, by imaging.Interest, q imaging.Quality) error {
	all := p.covering()
	pixels, err := all.pixels(ctx, m, q)
	if err != nil {
		return err
	}
	at, err := pixels.Interesting(ctx, p.width, p.height, by)
	if err != nil {
		return err
	}
	x, y := p.box.Width/float64(all.width), p.box.Height/float64(all.height)
	p.window = imaging.Window{
		Left: p.box.Left + float64(at.X)*x, Top: p.box.Top + float64(at.Y)*y,
		Width: float64(p.width) * x, Height: float64(p.height) * y,
	}
	return nil
}

// pixels returns the shown pixels of an image that is turned.
func (p *plan) pixels(ctx context.Context, m *imaging.Image, q imaging.Quality) (*imaging.Pixels, error) {
	if p.angle == 0 {
		return m.ScaledWindow(ctx, p.visible(), p.shown.Dx(), p.shown.Dy(), q)
	}
	r := p.rotation()
	source, err := m.ScaledWindow(ctx, r.source, r.width, r.height, q)
	if err != nil {
		return nil, err
	}
	return source.Transformed(ctx, r.to, p.shown.Dx(), p.shown.Dy())
}
