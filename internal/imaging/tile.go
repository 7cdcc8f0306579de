package imaging

import (
	"context"
	"image"
	"slices"
)

// PixelsInSRGB is Pixels without the conversion to the profile of the outputs.
func (m *Image) PixelsInSRGB(ctx context.Context) (*Pixels, error) { return m.inSRGB().Pixels(ctx) }

// EachTile calls do with parts of the pixels, as images of their own, which are valid during the call. The
// parts lie inside the image and are not empty. Filters see nothing beyond their edges.
func (p *Pixels) EachTile(parts []image.Rectangle, do func(at image.Rectangle, tile *Image) error) error {
	var canvas []byte // RGBA
	for _, at := range parts {
		canvas = slices.Grow(canvas[:0], 4*at.Dx()*at.Dy())
		for y := at.Min.Y; y < at.Max.Y; y++ {
			row := p.Pix[(y*p.Width+at.Min.X)*p.Channels:][:at.Dx()*p.Channels]
			if p.Channels == 4 {
				canvas = append(canvas, row...)
				continue
			}
			for i := 0; i < len(row); i += 3 {
				canvas = append(canvas, row[i], row[i+1], row[i+2], 255)
			}
		}
		if err := do(at, p.tile(at, canvas)); err != nil {
			return err
		}
	}
	return nil
}

func (p *Pixels) tile(at image.Rectangle, canvas []byte) *Image {
	return &Image{Header: Header{
		Format: PNG, Width: at.Dx(), Height: at.Dy(), Alpha: p.Channels == 4, Orientation: 1, Bits: 8, Frames: 1,
		canvas: canvas,
	}}
}
