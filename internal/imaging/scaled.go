package imaging

// Scaled returns the picture upright at exactly width × height pixels, which may
// stretch it; three channels, white where it is transparent. It is made fast, for
// eyes that do not mind.
func (m *Image) Scaled(width, height int) (*Pixels, error) {
	w, h := width, height
	if m.Orientation >= 5 {
		w, h = h, w
	}
	p, err := m.scaled(w, h, Fast)
	if err != nil {
		return nil, err
	}
	if p = p.upright(m.Orientation); p.Channels == 4 {
		p = p.flatten()
	}
	return p, nil
}
