package imaging_test

import (
	"context"
	"maps"
	"runtime"

	"imageflow.dev/internal/imaging"
)

func init() {
	maps.Copy(memoryWorks, map[string]memoryWork{"2 renditions": renditions(2), "9 renditions": renditions(9)})
}

// memoryOutput is an output of an image.
type memoryOutput struct {
	width, height int
	format        imaging.Format
}

// memoryOutputs returns a main output of format f, almost as large as the image, and n smaller ones, of which every other
// is a PNG: so a JPEG is decoded to planes and to pixels.
func memoryOutputs(m *imaging.Image, n int, f imaging.Format) (all []memoryOutput) {
	width, height := m.Size()
	for i := range n + 1 {
		o := memoryOutput{width * 9 / 10 / (i + 1), height * 9 / 10 / (i + 1), f}
		if i%2 == 1 && !m.Moves(f) {
			o.format = imaging.PNG
		}
		all = append(all, o)
	}
	return all
}

// renditions makes a main output and n others as a job does: with one decoding, and all are held until the last is made.
func renditions(n int) memoryWork {
	return memoryWork{
		func(m *imaging.Image, f imaging.Format) (bytes int64) {
			share := &imaging.Share{}
			m = framed(m, f)
			for _, o := range memoryOutputs(m, n, f) {
				share.Serve(m, m.Whole(), o.width, o.height, imaging.Good, o.format)
				bytes += m.ResizeFootprint(o.width, o.height, o.format)
			}
			return bytes + share.Footprint(m.Header)
		},
		func(m *imaging.Image, f imaging.Format) error {
			share := &imaging.Share{}
			m = framed(m, f)
			outputs, held := memoryOutputs(m, n, f), []imaging.Encoded(nil)
			for _, o := range outputs {
				share.Serve(m, m.Whole(), o.width, o.height, imaging.Good, o.format)
			}
			for _, o := range outputs {
				out, err := o.make(m.With(share))
				if err != nil {
					return err
				}
				held = append(held, out)
			}
			runtime.KeepAlive(held)
			return nil
		},
	}
}

// framed selects all frames of an animation for a format that has animations.
func framed(m *imaging.Image, f imaging.Format) *imaging.Image {
	if m.Animated && m.CanMove(f) {
		return selected(m)
	}
	return m
}

func (o memoryOutput) make(m *imaging.Image) (imaging.Encoded, error) {
	if !m.Moves(o.format) {
		return m.Resize(context.Background(), o.width, o.height, imaging.Good, o.format)
	}
	return m.Animate(context.Background(), o.format, func(ctx context.Context, frame *imaging.Image) (*imaging.Pixels, error) {
		return frame.ScaledWindow(ctx, frame.Whole(), o.width, o.height, imaging.Good)
	})
}
