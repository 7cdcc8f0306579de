package imaging

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"hash/crc32"
	"io"
)

const (
	pngSignature = 8
	pngOverhead  = 12 // of a chunk: its length, kind and checksum
	pngDeepest   = 1032
)

// pngEnd is the chunk IEND.
var pngEnd = []byte("\x00\x00\x00\x00IEND\xae\x42\x60\x82")

// pngKept are the kinds of chunks that the decoder sees. All others are left out,
// compressed texts among them: libpng would inflate each to find out its size.
var pngKept = map[string]bool{
	"IHDR": true, "PLTE": true, "IDAT": true, "tRNS": true, "gAMA": true, "cHRM": true, "sRGB": true, "iCCP": true, "pHYs": true,
}

// pngReader walks the chunks of a PNG.
type pngReader struct {
	data   []byte
	header *Header
	seen   map[string]int
	// open tells whether the chunk before is one of image data that is kept.
	open bool
	// compressed is the image data in bytes, raw what it must inflate to.
	compressed, raw int64
}

// parsePNG walks the chunks up to the last (ISO/IEC 15948). Those that decide what
// the pixels are must match their checksums, which libvips ignores.
func parsePNG(data []byte, h *Header) error {
	r := &pngReader{data: data, header: h, seen: map[string]int{}}
	h.keep(data, 0, pngSignature)
	for at := int64(pngSignature); ; {
		kind, content, next := pngChunk(data, at)
		if next == 0 { // the rest is no whole chunk
			if r.seen["IDAT"] == 0 || kind == "IDAT" {
				return truncated(PNG)
			}
			h.repair("the end marker was missing")
			return r.end()
		}
		if r.seen["IHDR"] == 0 && kind != "IHDR" {
			return invalid("corrupt png: no header chunk")
		}
		sound := crc32.ChecksumIEEE(data[at+4:next-4]) == binary.BigEndian.Uint32(data[next-4:])
		if kind == "IEND" {
			if !sound {
				h.repair("the end marker did not match its checksum")
			}
			return r.end()
		}
		if err := r.chunk(kind, content, sound, at, next); err != nil {
			return err
		}
		at = next
	}
}

// pngChunk returns the chunk at a place and where the next one begins: 0 where the
// chunk is cut. The kind is known as soon as it is there.
func pngChunk(data []byte, at int64) (kind string, content []byte, next int64) {
	if at+8 > int64(len(data)) {
		return "", nil, 0
	}
	kind = string(data[at+4 : at+8])
	end := at + pngOverhead + int64(binary.BigEndian.Uint32(data[at:]))
	if end > int64(len(data)) {
		return kind, nil, 0
	}
	return kind, data[at+8 : end-4], end
}

// chunk reads a chunk and decides whether the decoder sees it.
func (r *pngReader) chunk(kind string, content []byte, sound bool, at, next int64) error {
	ancillary := kind[0]&0x20 != 0
	switch {
	case !sound && (!ancillary || kind == "tRNS"):
		return invalid("corrupt png: the chunk at byte %d does not match its checksum", at)
	case !ancillary && !pngKept[kind]:
		return invalid("corrupt png: the chunk at byte %d is of no known kind", at)
	case !sound:
		r.header.repair("a chunk that did not match its checksum was left out")
		return nil
	}
	r.seen[kind]++
	keep := pngKept[kind] && (r.seen[kind] == 1 || kind == "IDAT")
	switch kind {
	case "IHDR":
		if len(content) != 13 || r.seen[kind] > 1 {
			return invalid("corrupt png: no header chunk")
		}
		r.readHeader(content)
	case "IDAT":
		if r.seen[kind] > 1 && !r.open {
			return invalid("corrupt png: its image data is interrupted")
		}
		r.compressed += int64(len(content))
	case "tRNS":
		r.header.Alpha = true
	case "iCCP":
		keep = r.profile(content) && keep
	case "acTL":
		r.header.Animated = true
	case "pHYs":
		r.header.density = densityOfPNG(content)
	case "eXIf":
		r.header.density = r.header.density.or(densityOfEXIF(content))
		r.header.Orientation = exifOrientation(content)
	}
	r.open = kind == "IDAT"
	if keep {
		r.header.keep(r.data, at, next)
	}
	return nil
}

// readHeader reads the content of the chunk IHDR.
func (r *pngReader) readHeader(ihdr []byte) {
	h := r.header
	h.Width, h.Height = int(binary.BigEndian.Uint32(ihdr)), int(binary.BigEndian.Uint32(ihdr[4:]))
	depth, kind, interlaced := int(ihdr[8]), ihdr[9], ihdr[12] != 0
	h.Alpha, h.colours = kind&4 != 0, 3
	if kind&2 == 0 {
		h.colours = 1
	}
	if interlaced { // four channels at most
		h.held = 4 * max(8, depth) / 8
	}
	channels := map[byte]int{2: 3, 4: 2, 6: 4}[kind]
	row := func(width int) int64 { return 1 + (int64(width)*int64(max(1, channels)*depth)+7)/8 }
	if !interlaced {
		// Honest data does not grow by compression, but for the heads of its blocks.
		h.tail = int(16*(row(h.Width)+row(h.Width)/8) + 16<<10)
		return
	}
	for _, pass := range [7][4]int{{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}} {
		width, height := (h.Width-pass[0]+pass[2]-1)/pass[2], (h.Height-pass[1]+pass[3]-1)/pass[3]
		if width > 0 && height > 0 {
			r.raw += int64(height) * row(width)
		}
	}
}

// maxProfile bounds an ICC profile in bytes; those of printers with tables of their
// colours have two or three million.
const maxProfile = 4 << 20

// profile reads the first ICC profile and reports whether it can be used. Chunks
// beyond the first are left out, since libpng would inflate each.
func (r *pngReader) profile(chunk []byte) bool {
	if r.seen["iCCP"] > 1 {
		r.header.repair("a second colour profile was left out")
		return false
	}
	name := bytes.IndexByte(chunk, 0)
	if name < 0 || name+2 > len(chunk) {
		return false
	}
	chunk = chunk[name+2:]
	inflated, err := zlib.NewReader(bytes.NewReader(chunk[:min(len(chunk), 4096)])) // the head is in it, unless by intent
	if err != nil {
		return false
	}
	head, _ := io.ReadAll(io.LimitReader(inflated, 4096)) // whatever of it there is
	if len(head) < 4 || binary.BigEndian.Uint32(head) > maxProfile {
		return false
	}
	r.header.profile = profileColours(head)
	return true
}

// end completes the chunks that the decoder sees.
func (r *pngReader) end() error {
	if r.compressed == 0 {
		return truncated(PNG)
	}
	h := r.header
	h.parts = append(h.parts, pngEnd)
	// Chunks have an overhead, of which the smallest consist.
	h.tail = int(int64(h.tail) * (r.compressed + pngOverhead*int64(r.seen["IDAT"])) / r.compressed)
	// Interlaced, all is read at once, so that only a look at the data can tell.
	const surplus = 64 << 20
	if r.raw > 0 && pngDeepest*r.compressed > r.raw+surplus {
		h.inspect = r.inflates
	}
	return nil
}

// inflates checks that the image data is not far more than the pixels need: libpng
// inflates all of it.
func (r *pngReader) inflates(ctx context.Context) error {
	var data []io.Reader
	for at := int64(pngSignature); at > 0; {
		kind, content, next := pngChunk(r.data, at)
		if kind == "IDAT" {
			data = append(data, bytes.NewReader(content))
		}
		at = next
	}
	inflated, err := zlib.NewReader(io.MultiReader(data...))
	if err != nil {
		return nil // it is the decoder that says so
	}
	for left := r.raw + 1<<20; left > 0; {
		n, err := io.CopyN(io.Discard, inflated, min(left, 1<<20))
		if left -= n; err != nil {
			return ctx.Err()
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return invalid("corrupt png: its image data is far more than its pixels")
}
