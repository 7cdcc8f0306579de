package imaging

import (
	"cmp"
	"encoding/binary"
	"image"
	"math"
)

// readAnimation parses an acTL chunk. One after the image data does not make an animation, nor
// does one of a single frame, unless this frame follows the image of other programs.
func (r *pngReader) readAnimation(content []byte) {
	if r.seen["IDAT"] == 0 && len(content) >= 8 {
		r.frames = int64(binary.BigEndian.Uint32(content))
		r.all.plays = int(min(binary.BigEndian.Uint32(content[4:]), math.MaxInt32))
	}
}

// readFrame parses an fcTL chunk (PNG, third edition, 11.3.3.8). Its image data begins at next.
func (r *pngReader) readFrame(content []byte, next int64) {
	if len(content) != 26 {
		r.all.fault = "corrupt png: a frame has no valid header"
		return
	}
	be := binary.BigEndian
	left, top := int(be.Uint32(content[12:])), int(be.Uint32(content[16:]))
	f := frame{
		at:    image.Rect(left, top, left+int(be.Uint32(content[4:])), top+int(be.Uint32(content[8:]))),
		delay: 1000 * int(be.Uint16(content[20:])), over: content[25] == 1, begin: next,
		disposal: [...]disposal{1: clearFrame, 2: restoreCanvas, 255: 0}[content[24]],
	}
	f.delay /= cmp.Or(int(be.Uint16(content[22:])), 100)
	if f.at.Empty() || !f.at.In(image.Rect(0, 0, r.header.Width, r.header.Height)) {
		r.all.fault = "corrupt png: a frame reaches beyond the canvas"
	}
	r.all.add(f)
}

// isAnimated reports whether there are more images than the one in the image data chunks.
func (r *pngReader) isAnimated() bool {
	return r.frames > 1 || r.frames == 1 && !r.isFrame
}

// animationFrames returns the number of frames that the file has and declares.
func (r *pngReader) animationFrames() int { return int(min(r.frames, int64(r.seen["fcTL"]))) }
