package imaging_test

import (
	"context"
	"image"
	"image/color"

	"imageflow.dev/internal/imaging"
)

// memoryWork is an operation with its computed footprint.
type memoryWork struct {
	footprint func(*imaging.Image, imaging.Format) int64
	do        func(*imaging.Image, imaging.Format) error
}

// fillWithNoise replaces all pixels by noise, which needs most memory to encode.
func fillWithNoise(p *imaging.Pixels) {
	for at, block := 0, noise(1<<20); at < len(p.Pix); {
		at += copy(p.Pix[at:], block)
	}
}

func footprint(m *imaging.Image, f imaging.Format) int64 { return m.Footprint(f) }

func changed(m *imaging.Image, f imaging.Format) error {
	p, err := m.Pixels(context.Background())
	if err != nil {
		return err
	}
	if err := p.Blur(context.Background(), 2); err != nil {
		return err
	}
	fillWithNoise(p)
	_, err = p.EncodeLike(context.Background(), m, f)
	return err
}

// selected is the image with all frames selected, if it is an animation.
func selected(m *imaging.Image) *imaging.Image {
	m, err := m.Select(imaging.Selection{}, true)
	if err != nil {
		panic(err)
	}
	return m
}

func selectedFootprint(m *imaging.Image, f imaging.Format) int64 { return selected(m).Footprint(f) }

func animated(m *imaging.Image, f imaging.Format) error {
	_, err := selected(m).Animate(context.Background(), f,
		func(ctx context.Context, frame *imaging.Image) (*imaging.Pixels, error) {
			p, err := frame.Pixels(ctx)
			if err != nil {
				return nil, err
			}
			if err := p.Blur(ctx, 2); err != nil {
				return nil, err
			}
			fillWithNoise(p)
			return p, nil
		})
	return err
}

// redacted hides the upper half of an image.
func redacted(m *imaging.Image, f imaging.Format) error {
	p, err := m.Paintable(context.Background(), f, color.RGBA{A: 255})
	if err != nil {
		return err
	}
	width, height := m.Size()
	paint, err := p.Mosaic(context.Background(), image.Rect(0, 0, width, height/2), 4, true)
	if err != nil {
		return err
	}
	for y := range height / 2 {
		paint(y, 0, width)
	}
	_, err = p.EncodeLike(context.Background(), m, f)
	return err
}

// memoryWorks are the operations of the processors, with their computed footprints.
var memoryWorks = map[string]memoryWork{
	"change":          {footprint, changed},
	"animate":         {selectedFootprint, animated},
	"redact":          {footprint, redacted},
	"detect":          {detectFootprint, detected},
	"detect in tiles": {tilesFootprint, detectedInTiles},
	"filter": {
		footprint,
		func(m *imaging.Image, f imaging.Format) error {
			r, err := m.Raster(context.Background(), f)
			if err != nil {
				return err
			}
			if err := r.Sharpen(context.Background(), 2, 5); err != nil {
				return err
			}
			_, err = r.Encode(context.Background(), f)
			return err
		},
	},
	"halve": {
		func(m *imaging.Image, f imaging.Format) int64 {
			w, h := m.Size()
			return m.ResizeFootprint(w/2, h/2, f)
		},
		func(m *imaging.Image, f imaging.Format) error {
			w, h := m.Size()
			_, err := m.Resize(context.Background(), w/2, h/2, imaging.Best, f)
			return err
		},
	},
	"pad": {
		func(m *imaging.Image, f imaging.Format) int64 {
			w, h := m.Size()
			return m.PaddedFootprint(w/2, h/2, w, h, f)
		},
		func(m *imaging.Image, f imaging.Format) error {
			w, h := m.Size()
			canvas := image.Rect(-w/4, -h/4, w-w/4, h-h/4)
			_, err := m.ResizePadded(context.Background(), m.Whole(), w/2, h/2, canvas, imaging.Best, f)
			return err
		},
	},
	"rotate": {
		func(m *imaging.Image, f imaging.Format) int64 {
			w, h := m.Size()
			return m.TransformedFootprint(int64(w/2)*int64(h/2), int64(w)*int64(h), f)
		},
		func(m *imaging.Image, f imaging.Format) error {
			w, h := m.Size()
			p, err := m.ScaledWindow(context.Background(), m.Whole(), w/2, h/2, imaging.Best)
			if err != nil {
				return err
			}
			if p, err = p.Transformed(context.Background(), imaging.Affine{1.4, -1.4, float64(w / 2), 1.4, 1.4, 0}, w, h); err != nil {
				return err
			}
			_, err = p.Encode(context.Background(), f)
			return err
		},
	},
	"trim": {
		func(m *imaging.Image, f imaging.Format) int64 {
			w, h := m.Size()
			return m.TrimFootprint() + m.ResizeFootprint(w/2, h/2, f)
		},
		func(m *imaging.Image, f imaging.Format) error {
			w, h := m.Size()
			part, err := m.Trim(context.Background(), image.Rect(0, 0, w, h), nil, 10)
			if err != nil {
				return err
			}
			_, err = m.Resize(context.Background(), part.Dx()/2, part.Dy()/2, imaging.Best, f)
			return err
		},
	},
	"attention": {
		func(m *imaging.Image, f imaging.Format) int64 {
			w, h := m.Size()
			return m.ResizeFootprint(w, h, f) + m.ResizeFootprint(w/2, h, f)
		},
		func(m *imaging.Image, f imaging.Format) error {
			w, h := m.Size()
			_, _, err := m.ResizeInteresting(context.Background(), m.Whole(), w/2, h, imaging.Attention, imaging.Good, f)
			return err
		},
	},
	"shrink": {
		func(m *imaging.Image, f imaging.Format) int64 { return m.ResizeFootprint(800, 600, f) },
		func(m *imaging.Image, f imaging.Format) error {
			_, err := m.Resize(context.Background(), 800, 600, imaging.Fast, f)
			return err
		},
	},
}
