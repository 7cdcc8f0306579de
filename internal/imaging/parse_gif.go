package imaging

import (
	"context"
	"encoding/binary"
	"image"
)

// gifTrailer ends a GIF.
const gifTrailer = 0x3b

// parseGIF walks the blocks of a GIF89a up to its trailer. The decoder sees them as
// far as the first frame. What is wrong behind that does no harm.
func parseGIF(data []byte, h *Header) error {
	if len(data) < 14 {
		return truncated(GIF)
	}
	h.Width, h.Height = gifScreen(data)
	h.Alpha, h.colours, h.held = true, 3, 8 // the canvas, and as libvips takes it
	frames, first := 0, 0
	for at := 13 + colorTable(data[10]); ; {
		if at >= len(data) {
			return gifEnd(data, h, first, "the end marker was missing")
		}
		switch data[at] {
		case 0x21: // extension
			at = skipBlocks(data, at+2)
		case 0x2c: // a frame
			if at+10 >= len(data) {
				return gifEnd(data, h, first, "the end marker was missing")
			}
			begin := at
			at = skipBlocks(data, at+10+colorTable(data[at+9])+1)
			if frames++; frames == 1 {
				growToFrame(data[begin+1:], h)
				if first = at; at == len(data) && !endsBlocks(data, begin) {
					return truncated(GIF)
				}
				h.inspect = gifFrame{data, begin}.whole
			}
			h.Animated = frames > 1
		case gifTrailer:
			return gifEnd(data, h, first, "")
		default:
			return gifEnd(data, h, first, "bytes behind its frames were left out")
		}
	}
}

// gifEnd ends a file whose first frame ends at a place, 0 where there was none.
func gifEnd(data []byte, h *Header, first int, fault string) error {
	switch {
	case first == 0 && fault == "":
		return invalid("corrupt gif: no frame")
	case first == 0:
		return truncated(GIF)
	case fault != "":
		h.repair(fault)
	}
	h.parts = [][]byte{data[:first], {gifTrailer}}
	return nil
}

// gifScreen returns the size of the logical screen, 1 × 1 where it has none, which
// the first frame then gives.
func gifScreen(data []byte) (width, height int) {
	width = int(binary.LittleEndian.Uint16(data[6:]))
	height = int(binary.LittleEndian.Uint16(data[8:]))
	if width == 0 || height == 0 {
		return 1, 1
	}
	return width, height
}

// growToFrame makes the picture as large as its first frame reaches, given by
// left, top, width and height.
func growToFrame(frame []byte, h *Header) {
	le := binary.LittleEndian
	left, top := int(le.Uint16(frame)), int(le.Uint16(frame[2:]))
	h.frame = image.Rect(left, top, left+int(le.Uint16(frame[4:])), top+int(le.Uint16(frame[6:])))
	h.Width, h.Height = max(h.Width, h.frame.Max.X), max(h.Height, h.frame.Max.Y)
	if h.frame == image.Rect(0, 0, h.Width, h.Height) {
		h.frame = image.Rectangle{}
	}
}

// colorTable returns the size in bytes of the table that a flags byte tells of.
func colorTable(flags byte) int {
	if flags&0x80 == 0 {
		return 0
	}
	return 3 << (flags&7 + 1)
}

// skipBlocks returns the place behind a row of data blocks, or the file's end.
func skipBlocks(data []byte, at int) int {
	for at < len(data) {
		length := int(data[at])
		at += 1 + length
		if length == 0 {
			return at
		}
	}
	return len(data)
}

// endsBlocks tells whether the data blocks of a frame have the end that they must.
func endsBlocks(data []byte, frame int) bool {
	at := frame + 10 + colorTable(data[frame+9]) + 1
	for at < len(data) && data[at] != 0 {
		at += 1 + int(data[at])
	}
	return at < len(data)
}

// gifFrame is the frame that begins at a place in a file.
type gifFrame struct {
	data  []byte
	begin int
}

// whole checks that the frame's data has all of its pixels, which the decoder does
// not mind.
func (f gifFrame) whole(ctx context.Context) error {
	le := binary.LittleEndian
	head := f.data[f.begin:]
	pixels := int64(le.Uint16(head[5:])) * int64(le.Uint16(head[7:]))
	at := f.begin + 10 + colorTable(head[9])
	codes := &gifCodes{data: f.data, at: at + 1}
	switch have, sound := codes.count(ctx, uint(f.data[at]), pixels); {
	case ctx.Err() != nil:
		return ctx.Err()
	case !sound:
		return invalid("corrupt gif: its image data is damaged")
	case have < pixels:
		return invalid("truncated gif: its image data ends too early")
	}
	return nil
}

// gifCodes reads the codes of LZW, as GIF has it, from data blocks.
type gifCodes struct {
	data        []byte
	at, left    int // the next byte, and how many the block has still
	buffer      uint32
	bits, width uint
}

// next returns the next code, and -1 behind the last.
func (c *gifCodes) next() int {
	for c.bits < c.width {
		if c.left == 0 {
			if c.at >= len(c.data) || c.data[c.at] == 0 {
				return -1
			}
			c.left = int(c.data[c.at])
			c.at++
		}
		if c.at >= len(c.data) {
			return -1
		}
		c.buffer |= uint32(c.data[c.at]) << c.bits
		c.bits += 8
		c.at++
		c.left--
	}
	code := c.buffer & (1<<c.width - 1)
	c.buffer >>= c.width
	c.bits -= c.width
	return int(code)
}

// count returns how many pixels the codes stand for, up to those that are wanted,
// and whether all codes have a meaning.
func (c *gifCodes) count(ctx context.Context, least uint, pixels int64) (have int64, sound bool) {
	if least < 1 || least > 8 {
		return 0, false
	}
	var length [4096]int64 // of each code
	clear := 1 << least
	for i := range clear {
		length[i] = 1
	}
	free, before := clear+2, -1
	c.width = least + 1
	for n := 0; have < pixels; n++ {
		code := c.next()
		switch {
		case code < 0 || code == clear+1:
			return have, true
		case n&0xfffff == 0 && ctx.Err() != nil:
			return have, true
		case code == clear:
			free, before, c.width = clear+2, -1, least+1
			continue
		case before >= 0 && free < len(length):
			length[free] = length[before] + 1
			if free++; free == 1<<c.width && c.width < 12 {
				c.width++
			}
		}
		if code >= free || before < 0 && code > clear {
			return have, false
		}
		have += length[code]
		before = code
	}
	return have, true
}
