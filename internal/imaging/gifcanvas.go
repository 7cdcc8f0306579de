package imaging

import (
	"compress/lzw"
	"context"
	"errors"
	"image"
	"io"
)

// canvas is the canvas of an animation: rows of RGBA with straight alpha.
type canvas struct {
	pix           []byte
	width, height int
	// saved is the canvas before the last frame, if its disposal restores it.
	saved []byte
	last  frame // the last frame
}

func newCanvas(m *Image) canvas {
	return canvas{pix: make([]byte, 4*m.Width*m.Height), width: m.Width, height: m.Height}
}

// begin disposes of the last frame and prepares the canvas for the next one.
func (c *canvas) begin(next frame) {
	visible := c.last.at.Intersect(image.Rect(0, 0, c.width, c.height))
	switch c.last.disposal {
	case clearFrame:
		for y := visible.Min.Y; y < visible.Max.Y; y++ {
			clear(c.row(y)[4*visible.Min.X : 4*visible.Max.X])
		}
	case restoreCanvas:
		copy(c.pix, c.saved)
	}
	if c.last = next; next.disposal == restoreCanvas {
		c.saved = append(c.saved[:0], c.pix...)
	}
}

func (c *canvas) row(y int) []byte { return c.pix[4*y*c.width : 4*(y+1)*c.width] }

// gifCanvases draws the frames of a GIF.
type gifCanvases struct {
	canvas
	data    []byte
	indices []byte // of a frame
}

func newGIFCanvases(m *Image) *gifCanvases {
	return &gifCanvases{canvas: newCanvas(m), data: m.data}
}

func (c *gifCanvases) close() {}

func (c *gifCanvases) next(ctx context.Context, f frame) ([]byte, error) {
	c.begin(f)
	at, flags := f.begin+10, c.data[f.begin+9]
	colours := c.data[13:][:colorTable(c.data[10])]
	if size := colorTable(flags); size > 0 {
		colours = c.data[at:][:size]
		at += int64(size)
	}
	if err := c.readIndices(ctx, at, f.at.Dx()*f.at.Dy()); err != nil {
		return nil, err
	}
	for i := range f.at.Dy() {
		y := i
		if flags&0x40 != 0 {
			y = interlacedRow(i, f.at.Dy())
		}
		if y += f.at.Min.Y; y < c.height {
			c.drawRow(y, c.indices[i*f.at.Dx():][:f.at.Dx()], colours, f)
		}
	}
	return c.pix, nil
}

// drawRow draws a row of a frame. Indices beyond the colour table are transparent.
func (c *gifCanvases) drawRow(y int, indices, colours []byte, f frame) {
	if f.at.Min.X >= c.width {
		return
	}
	row := c.row(y)[4*f.at.Min.X:]
	for x, i := range indices[:min(len(indices), len(row)/4)] {
		if int(i) == f.transparent || 3*int(i)+3 > len(colours) {
			continue
		}
		copy(row[4*x:4*x+3], colours[3*int(i):])
		row[4*x+3] = 255
	}
}

// interlacedRow returns the place of row i of height interlaced rows.
func interlacedRow(i, height int) int {
	for _, pass := range [4][2]int{{0, 8}, {4, 8}, {2, 4}, {1, 2}} {
		rows := max(0, (height-pass[0]+pass[1]-1)/pass[1])
		if i < rows {
			return pass[0] + i*pass[1]
		}
		i -= rows
	}
	return height
}

// readIndices decompresses the indices of the pixels of a frame, whose data begins at an offset
// with the minimum code size.
func (c *gifCanvases) readIndices(ctx context.Context, at int64, pixels int) error {
	if cap(c.indices) < pixels {
		c.indices = make([]byte, pixels)
	}
	c.indices = c.indices[:pixels]
	size := int(c.data[at])
	if size < 2 || size > 8 {
		return errGIFData
	}
	codes := lzw.NewReader(&gifBlocks{rest: c.data[at+1:]}, lzw.LSB, size)
	defer codes.Close()
	const piece = 1 << 20
	for from := 0; from < pixels; from += piece {
		if err := ctx.Err(); err != nil {
			return err
		}
		_, err := io.ReadFull(codes, c.indices[from:min(from+piece, pixels)])
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return invalid("truncated gif: its image data ends too early")
		}
		if err != nil {
			return errGIFData
		}
	}
	return nil
}

var errGIFData = invalid("corrupt gif: its image data is damaged")

// gifBlocks reads the content of data blocks.
type gifBlocks struct {
	rest []byte
	left int // in the current block
}

func (b *gifBlocks) ReadByte() (byte, error) {
	if b.left == 0 {
		if len(b.rest) == 0 || b.rest[0] == 0 {
			return 0, io.EOF
		}
		b.left, b.rest = int(b.rest[0]), b.rest[1:]
	}
	if len(b.rest) == 0 {
		return 0, io.EOF
	}
	v := b.rest[0]
	b.rest = b.rest[1:]
	b.left--
	return v, nil
}

// Read implements io.Reader, which lzw asks for besides io.ByteReader.
func (b *gifBlocks) Read(p []byte) (int, error) {
	v, err := b.ReadByte()
	if err != nil || len(p) == 0 {
		return 0, err
	}
	p[0] = v
	return 1, nil
}
