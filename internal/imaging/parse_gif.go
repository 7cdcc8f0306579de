package imaging

import (
	"context"
	"encoding/binary"
	"image"
)

// gifTrailer is the end marker of a GIF.
const gifTrailer = 0x3b

// gifReader reads the blocks of a GIF.
type gifReader struct {
	data   []byte
	header *Header
	all    animation
	next   frame // as known from the extensions before it
	count  int   // of frames
	first  int   // the end of the first frame; 0 if there is none
}

// parseGIF reads the blocks of a GIF89a up to its trailer. The decoder of a still image gets the
// blocks up to the first frame. Faults after the first frame are repaired, or are faults of the
// animation.
func parseGIF(data []byte, h *Header) error {
	if len(data) < 14 {
		return truncated(GIF)
	}
	h.Width, h.Height = gifScreen(data)
	h.Alpha, h.colours, h.held = true, 3, 8 // the canvas, and the copy in libvips
	r := &gifReader{data: data, header: h, all: animation{plays: 1}, next: noControl}
	for at := 13 + colorTable(data[10]); ; {
		if at >= len(data) || data[at] == 0x2c && at+10 >= len(data) {
			if at < len(data) {
				r.all.fault = cutGIF
			}
			return gifEnd(data, h, r.first, "the end marker was missing")
		}
		switch data[at] {
		case 0x21: // extension
			r.next = r.all.readExtension(data[at:], r.next)
			at = skipBlocks(data, at+2)
		case 0x2c: // a frame
			end := skipBlocks(data, at+10+colorTable(data[at+9])+1)
			if err := r.frame(at, end); err != nil {
				return err
			}
			at = end
		case gifTrailer:
			return gifEnd(data, h, r.first, "")
		default:
			return gifEnd(data, h, r.first, "bytes after its frames were left out")
		}
	}
}

const cutGIF = "truncated gif: the file ends too early"

// frame reads a frame.
func (r *gifReader) frame(begin, end int) error {
	h, cut := r.header, end == len(r.data) && !endsBlocks(r.data, begin)
	if r.count++; r.count == 1 {
		growToFrame(r.data[begin+1:], h)
		if r.first = end; cut {
			return truncated(GIF)
		}
		h.inspect = gifFrame{r.data, begin}.checkPixels
	}
	if cut {
		r.all.fault = cutGIF
	}
	r.next.at, r.next.begin = gifRect(r.data[begin+1:]), int64(begin)
	r.all.add(r.next)
	r.next = noControl
	if h.Animated, h.Frames = r.count > 1, r.count; h.Animated {
		h.animation = &r.all
	}
	return nil
}

// gifEnd completes the header at the end of the file. first is the end of the first frame,
// or 0 if there is none.
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

// gifScreen returns the size of the logical screen. If it is empty, gifScreen returns 1 × 1
// and the first frame determines the size.
func gifScreen(data []byte) (width, height int) {
	width = int(binary.LittleEndian.Uint16(data[6:]))
	height = int(binary.LittleEndian.Uint16(data[8:]))
	if width == 0 || height == 0 {
		return 1, 1
	}
	return width, height
}

// growToFrame enlarges the image to contain its first frame. frame starts with left, top,
// width and height.
func growToFrame(frame []byte, h *Header) {
	h.frame = gifRect(frame)
	h.Width, h.Height = max(h.Width, h.frame.Max.X), max(h.Height, h.frame.Max.Y)
	if h.frame == image.Rect(0, 0, h.Width, h.Height) {
		h.frame = image.Rectangle{}
	}
}

// gifRect returns the place of a frame, which starts with left, top, width and height.
func gifRect(frame []byte) image.Rectangle {
	le := binary.LittleEndian
	left, top := int(le.Uint16(frame)), int(le.Uint16(frame[2:]))
	return image.Rect(left, top, left+int(le.Uint16(frame[4:])), top+int(le.Uint16(frame[6:])))
}

// noControl is a frame without a graphic control extension.
var noControl = frame{over: true, transparent: -1}

// readExtension reads an extension of a GIF. It returns the next frame, without its place, as known
// from the extensions up to this one.
func (a *animation) readExtension(data []byte, next frame) frame {
	const hundredth = 10 // milliseconds
	le := binary.LittleEndian
	switch {
	case len(data) >= 8 && data[1] == 0xf9 && data[2] == 4: // graphic control
		next.delay, next.transparent = hundredth*int(le.Uint16(data[4:])), -1
		next.disposal = [8]disposal{2: clearFrame, 3: restoreCanvas, 4: restoreCanvas}[data[3]>>2&7]
		if data[3]&1 != 0 {
			next.transparent = int(data[6])
		}
	case len(data) >= 19 && data[1] == 0xff && data[2] == 11 && data[14] == 3 && data[15] == 1 &&
		(string(data[3:14]) == "NETSCAPE2.0" || string(data[3:14]) == "ANIMEXTS1.0"):
		if a.plays = int(le.Uint16(data[16:])); a.plays > 0 { // it counts the repetitions
			a.plays++
		}
	}
	return next
}

// colorTable returns the size in bytes of the colour table that a flags byte announces.
func colorTable(flags byte) int {
	if flags&0x80 == 0 {
		return 0
	}
	return 3 << (flags&7 + 1)
}

// skipBlocks returns the offset after a sequence of data blocks, or the end of the file.
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

// endsBlocks reports whether the data blocks of a frame are terminated.
func endsBlocks(data []byte, frame int) bool {
	at := frame + 10 + colorTable(data[frame+9]) + 1
	for at < len(data) && data[at] != 0 {
		at += 1 + int(data[at])
	}
	return at < len(data)
}

// gifFrame is the frame that starts at offset begin.
type gifFrame struct {
	data  []byte
	begin int
}

// checkPixels checks that the data of the frame has all of its pixels. The decoder ignores
// missing ones.
func (f gifFrame) checkPixels(ctx context.Context) error {
	le := binary.LittleEndian
	head := f.data[f.begin:]
	pixels := int64(le.Uint16(head[5:])) * int64(le.Uint16(head[7:]))
	at := f.begin + 10 + colorTable(head[9])
	codes := &gifCodes{data: f.data, at: at + 1}
	switch have, valid := codes.count(ctx, uint(f.data[at]), pixels); {
	case ctx.Err() != nil:
		return ctx.Err()
	case !valid:
		return invalid("corrupt gif: its image data is damaged")
	case have < pixels:
		return invalid("truncated gif: its image data ends too early")
	}
	return nil
}

// gifCodes reads the LZW codes of a GIF from data blocks.
type gifCodes struct {
	data        []byte
	at, left    int // the next byte, and the number of bytes left in the block
	buffer      uint32
	bits, width uint
}

// next returns the next code, or -1 after the last one.
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

// count returns the number of pixels that the codes stand for, and whether all codes are
// valid. It stops when it has reached pixels. minSize is the minimum code size in bits.
func (c *gifCodes) count(ctx context.Context, minSize uint, pixels int64) (have int64, valid bool) {
	if minSize < 1 || minSize > 8 {
		return 0, false
	}
	var length [4096]int64 // pixels of each code
	clearCode := 1 << minSize
	for i := range clearCode {
		length[i] = 1
	}
	free, before := clearCode+2, -1
	c.width = minSize + 1
	for n := 0; have < pixels; n++ {
		code := c.next()
		switch {
		case code < 0 || code == clearCode+1:
			return have, true
		case n&0xfffff == 0 && ctx.Err() != nil:
			return have, true
		case code == clearCode:
			free, before, c.width = clearCode+2, -1, minSize+1
			continue
		case before >= 0 && free < len(length):
			length[free] = length[before] + 1
			if free++; free == 1<<c.width && c.width < 12 {
				c.width++
			}
		}
		if code >= free || before < 0 && code > clearCode {
			return have, false
		}
		have += length[code]
		before = code
	}
	return have, true
}
