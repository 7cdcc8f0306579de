package imaging

import (
	"context"
)

// pngCanvases draws the frames of an animated PNG.
type pngCanvases struct {
	canvas
}

func newPNGCanvases(m *Image) *pngCanvases { return &pngCanvases{canvas: newCanvas(m)} }

func (c *pngCanvases) close() {}

func (c *pngCanvases) next(context.Context) ([]byte, error) { return nil, errFailed }
