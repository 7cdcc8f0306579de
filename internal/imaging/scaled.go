package imaging

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
