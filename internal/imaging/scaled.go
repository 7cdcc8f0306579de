package imaging

// Placement says where a picture that was scaled lies in a larger one: the shown
// pixel (x, y) is at (x·ScaleX + PadX, y·ScaleY + PadY).
type Placement struct{ ScaleX, ScaleY, PadX, PadY float64 }

// Scaled returns the picture upright at exactly width × height pixels, which may
// stretch it; three channels, white where it is transparent. It is made fast, for
// eyes that do not mind.
func (m *Image) Scaled(width, height int) (*Pixels, error) {
	p, err := m.scaled(width, height, Fast)
	if err == nil && p.Channels == 4 {
		p = p.flatten()
	}
	return p, err
}
