package imaging

// #include "vips.h"
import "C"

import (
	"context"
	"fmt"
	"math"
)

// Interest is a way to find the part of an image that people look at.
type Interest int

// The interests, as in vips_smartcrop.
const (
	// Attention centres the part on the strongest edges, colours of skin, and saturated colours.
	Attention Interest = C.ATTENTION
	// Entropy cuts off sides with little information.
	Entropy Interest = C.ENTROPY
)

// maxInterestSide is the longest side in pixels of the small image in which interest is looked for.
// Attention tells only a 32nd of a side apart.
const maxInterestSide = 128

// Interesting returns the part of a window that is the most interesting one of width × height
// pixels. It decodes the image at a small size.
func (m *Image) Interesting(ctx context.Context, in Window, width, height float64, by Interest) (Window, error) {
	scale := min(1, maxInterestSide/max(in.Width, in.Height))
	pixels := func(length float64) int { return max(1, int(math.Round(length*scale))) }
	p, err := m.ScaledWindow(ctx, in, pixels(in.Width), pixels(in.Height), Fast)
	if err == nil && p.Channels == 4 {
		p, err = p.flatten(ctx, white)
	}
	if err == nil {
		err = Start()
	}
	if err != nil {
		return Window{}, err
	}
	w, h := min(pixels(width), p.Width), min(pixels(height), p.Height)
	var left, top C.int
	if C.imaging_smartcrop(p.memory(), C.int(p.Width), C.int(p.Height), C.Interest(by), C.int(w), C.int(h), &left, &top) != 0 {
		return Window{}, fmt.Errorf("libvips cannot find %d×%d of %d×%d pixels", w, h, p.Width, p.Height)
	}
	// All the room of the small image is all of the window's.
	found := Window{in.Left, in.Top, width, height}
	if room := p.Width - w; room > 0 {
		found.Left += (in.Width - width) * float64(left) / float64(room)
	}
	if room := p.Height - h; room > 0 {
		found.Top += (in.Height - height) * float64(top) / float64(room)
	}
	return found, nil
}
