package imaging

// Window is a rectangle of an image in pixels, which need not be whole numbers. It has an area and
// lies in the image.
type Window struct{ Left, Top, Width, Height float64 }

// Whole returns the window of the whole upright image.
func (h Header) Whole() Window {
	w, height := h.Size()
	return Window{0, 0, float64(w), float64(height)}
}

// view is a window of the stored image, before orientation, and its size in pixels in the output.
type view struct {
	Window
	width, height int
}

// view returns the view of a window of the upright image that becomes width × height pixels.
func (h Header) view(w Window, width, height int) view {
	if h.Orientation >= 5 {
		w = Window{w.Top, w.Left, w.Height, w.Width}
		width, height = height, width
	}
	mirrored := mirrorings[h.Orientation]
	if mirrored.across {
		w.Left = float64(h.Width) - w.Left - w.Width
	}
	if mirrored.down {
		w.Top = float64(h.Height) - w.Top - w.Height
	}
	return view{w, width, height}
}

// wholeView is view for the whole image.
func (h Header) wholeView(width, height int) view { return h.view(h.Whole(), width, height) }

// part returns the window's sides as parts of those of the stored image, at most 1.
func (h Header) part(v view) (across, down float64) {
	return v.Width / float64(h.Width), v.Height / float64(h.Height)
}

// turns are the EXIF orientations of an image that is turned by a quarter clockwise, and
// mirrorImages those of its mirror image, in which left and right change places.
var (
	turns        = [...]int{1: 6, 2: 7, 3: 8, 4: 5, 5: 2, 6: 3, 7: 4, 8: 1}
	mirrorImages = [...]int{1: 2, 2: 1, 3: 4, 4: 3, 5: 6, 6: 5, 7: 8, 8: 7}
)

// Turned returns the header of the upright image turned clockwise by quarters of a circle, 0 to 3,
// and then mirrored on request, so that left and right change places.
func (h Header) Turned(quarters int, mirrored bool) Header {
	for range quarters {
		h.Orientation = turns[h.Orientation]
	}
	if mirrored {
		h.Orientation = mirrorImages[h.Orientation]
	}
	return h
}

// Turned returns the image with the header that Header.Turned returns.
func (m *Image) Turned(quarters int, mirrored bool) *Image {
	if quarters == 0 && !mirrored {
		return m
	}
	return &Image{Header: m.Header.Turned(quarters, mirrored), Limits: m.Limits, data: m.data, share: m.share}
}
