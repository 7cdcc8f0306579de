package imaging

import "context"

// Scaled returns the image upright, stretched to exactly width × height pixels, with three
// channels. Transparent pixels are composited on white. It has the fidelity of Fast, which
// is enough for input of models.
func (m *Image) Scaled(ctx context.Context, width, height int) (*Pixels, error) {
	p, err := m.scaled(ctx, width, height, Fast)
	if err == nil && p.Channels == 4 {
		return p.flatten(ctx)
	}
	return p, err
}
