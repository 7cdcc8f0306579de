package imaging

import (
	"bytes"
	"compress/lzw"
	"context"
	"encoding/binary"
	"image"
	"math/bits"
	"slices"
)

// gifWriter encodes a GIF89a. Each frame has a palette of its own. Pixels that did not change are
// transparent.
type gifWriter struct {
	file          bytes.Buffer
	width, height int
	// shown are the pixels of the last frame; nil if there is none or it will be cleared.
	shown *Pixels
	// control is the offset of the flags of the last frame's graphic control extension.
	control int
	// end and written are the end of the last frame in milliseconds, and in hundredths of a second.
	end, written int
	indices      []byte
}

// newGIFWriter returns an encoder. plays is 0 for an animation without end.
func newGIFWriter(width, height, plays int) *gifWriter {
	w := &gifWriter{width: width, height: height}
	le := binary.LittleEndian
	head := le.AppendUint16(le.AppendUint16([]byte("GIF89a"), uint16(width)), uint16(height))
	w.file.Write(append(head, 0x70, 0, 0)) // no palette for all frames
	if plays != 1 {
		repetitions := max(0, min(plays-1, maxPlays)) // -1 is without end
		w.file.WriteString("\x21\xff\x0bNETSCAPE2.0\x03\x01")
		w.file.Write(append(le.AppendUint16(nil, uint16(repetitions)), 0))
	}
	return w
}

// Flags of a graphic control extension: the frame has a transparent colour, and it is kept or cleared
// afterwards.
const (
	gifTransparent = 1
	gifKeep        = 1 << 2
	gifClear       = 2 << 2
)

func (w *gifWriter) add(ctx context.Context, p *Pixels, delay int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if w.shown != nil && w.uncovers(p) {
		w.file.Bytes()[w.control] ^= gifKeep ^ gifClear
		w.shown = nil
	}
	palette, err := w.quantize(ctx, p)
	if err != nil {
		return err
	}
	window := image.Rect(0, 0, w.width, w.height)
	colours := len(palette) / 3
	if p.Channels == 3 { // it is never cleared
		window = w.changed(byte(colours))
	}
	w.end += delay
	hundredths := min((w.end+5)/10-w.written, 1<<16-1)
	w.written += hundredths
	w.file.WriteString("\x21\xf9\x04")
	w.control = w.file.Len()
	le := binary.LittleEndian
	w.file.Write(append(le.AppendUint16([]byte{gifTransparent | gifKeep}, uint16(hundredths)), byte(colours), 0, 0x2c))
	for _, v := range []int{window.Min.X, window.Min.Y, window.Dx(), window.Dy()} {
		w.file.Write(le.AppendUint16(nil, uint16(v)))
	}
	w.shown = p
	return w.writeIndices(ctx, window, palette)
}

// uncovers reports whether pixels that are shown become transparent.
func (w *gifWriter) uncovers(p *Pixels) bool {
	for i := 3; p.Channels == 4 && i < len(p.Pix); i += 4 {
		if p.Pix[i] < 128 && w.shown.Pix[i] >= 128 {
			return true
		}
	}
	return false
}

// quantize sets the indices and returns red, green and blue of the colours. A further index stands for
// transparency.
func (w *gifWriter) quantize(ctx context.Context, p *Pixels) (colours []byte, err error) {
	q, err := p.palette(ctx, maxPalette-1, true, w.shown)
	if err != nil {
		return nil, err
	}
	defer q.close()
	if w.indices == nil {
		w.indices = make([]byte, w.width*w.height)
	}
	for y := range w.height {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		q.row(y, w.indices[y*w.width:][:w.width])
	}
	for c := range slices.Chunk(q.colours, 4) {
		colours = append(colours, c[:3]...)
	}
	return colours, nil
}

// changed returns the smallest rectangle with all pixels that are not transparent, or one pixel.
func (w *gifWriter) changed(transparent byte) image.Rectangle {
	r := image.Rectangle{}
	for y := range w.height {
		row := w.indices[y*w.width : (y+1)*w.width]
		first := 0
		for first < len(row) && row[first] == transparent {
			first++
		}
		if first == len(row) {
			continue
		}
		last := len(row) - 1
		for row[last] == transparent {
			last--
		}
		r = r.Union(image.Rect(first, y, last+1, y+1))
	}
	if r.Empty() {
		return image.Rect(0, 0, 1, 1)
	}
	return r
}

// writeIndices writes the palette and the indices of a window, compressed.
func (w *gifWriter) writeIndices(ctx context.Context, window image.Rectangle, palette []byte) error {
	depth := max(2, bits.Len(uint(len(palette)/3))) // with the index of transparency
	w.file.WriteByte(0x80 | byte(depth-1))
	w.file.Write(palette)
	w.file.Write(make([]byte, 3<<depth-len(palette)))
	w.file.WriteByte(byte(depth))
	blocks := &blockWriter{to: &w.file}
	codes := lzw.NewWriter(blocks, lzw.LSB, depth)
	for y := window.Min.Y; y < window.Max.Y; y++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := codes.Write(w.indices[y*w.width:][window.Min.X:window.Max.X]); err != nil {
			return err
		}
	}
	if err := codes.Close(); err != nil {
		return err
	}
	blocks.end()
	return nil
}

func (w *gifWriter) finish() ([]byte, error) {
	w.file.WriteByte(gifTrailer)
	return w.file.Bytes(), nil
}

func (w *gifWriter) close() {}

// blockWriter writes data blocks of up to 255 bytes.
type blockWriter struct {
	to    *bytes.Buffer
	block [256]byte // its length and its content
}

// Write implements io.Writer.
func (b *blockWriter) Write(data []byte) (int, error) {
	for _, v := range data {
		_ = b.WriteByte(v) // a bytes.Buffer returns no errors
	}
	return len(data), nil
}

// WriteByte implements io.ByteWriter.
func (b *blockWriter) WriteByte(v byte) error {
	b.block[0]++
	b.block[b.block[0]] = v
	if b.block[0] == 255 {
		b.flush()
	}
	return nil
}

// Flush is part of what lzw asks of a writer; blocks are written when they are full.
func (b *blockWriter) Flush() error { return nil }

func (b *blockWriter) flush() {
	b.to.Write(b.block[:1+int(b.block[0])])
	b.block[0] = 0
}

// end writes the last block and the end of the blocks.
func (b *blockWriter) end() {
	if b.block[0] > 0 {
		b.flush()
	}
	b.to.WriteByte(0)
}

// encodeGIF encodes a still image.
func (p *Pixels) encodeGIF(ctx context.Context) ([]byte, error) {
	w := newGIFWriter(p.Width, p.Height, 1)
	if err := w.add(ctx, p, 0); err != nil {
		return nil, err
	}
	return w.finish()
}
