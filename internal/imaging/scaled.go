package imaging

import "context"

// Scaled returns the picture upright at exactly width × height pixels, which may
// stretch it; three channels, white where it is transparent. It is made fast, for
// eyes that do not mind.
func (m *Image) Scaled(ctx context.Context, width, height int) (*Pixels, error) {
	p, err := m.scaled(ctx, width, height, Fast)
	if err == nil && p.Channels == 4 {
		return p.flatten(ctx)
	}
	return p, err
}
