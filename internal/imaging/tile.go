package imaging

import (
	"context"
	"image"
)

// PixelsInSRGB is Pixels without the conversion to the profile of the outputs.
func (m *Image) PixelsInSRGB(ctx context.Context) (*Pixels, error) { return m.inSRGB().Pixels(ctx) }

// Tile returns a part of the pixels as an image of its own, with a copy of them. The part lies inside
// the image and is not empty. Filters see nothing beyond its edges.
func (p *Pixels) Tile(at image.Rectangle) *Image {
	part := p.Part(at, nil)
	canvas := part.Pix
	if p.Channels == 3 {
		canvas = make([]byte, 0, 4*at.Dx()*at.Dy())
		for i := 0; i < len(part.Pix); i += 3 {
			canvas = append(canvas, part.Pix[i], part.Pix[i+1], part.Pix[i+2], 255)
		}
	}
	return &Image{Header: Header{
		Format: PNG, Width: at.Dx(), Height: at.Dy(), Alpha: p.Channels == 4, Orientation: 1, Bits: 8, Frames: 1,
		canvas: canvas,
	}}
}
