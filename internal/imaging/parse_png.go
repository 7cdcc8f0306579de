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
	pngOverhead  = 12   // bytes of a chunk: length, type and checksum
	pngMaxRatio  = 1032 // maximum compression ratio of deflate
)

// pngEnd is an IEND chunk.
var pngEnd = []byte("\x00\x00\x00\x00IEND\xae\x42\x60\x82")

// pngKept are the types of chunks that the decoder reads. All others are left out, for
// example compressed texts, since libpng would inflate each to find its size.
var pngKept = map[string]bool{
	"IHDR": true, "PLTE": true, "IDAT": true, "tRNS": true,
	"gAMA": true, "cHRM": true, "sRGB": true, "iCCP": true, "pHYs": true,
}

// pngReader reads the chunks of a PNG.
type pngReader struct {
	data   []byte
	header *Header
	seen   map[string]int
	// simple is what inflate needs. odd reports that the file has something that inflate does
	// not support.
	simple pngData
	odd    bool
	// open reports whether the previous chunk is image data.
	open, interlaced, indexed bool
	// compressed is the size of the image data in bytes, raw the size that it must inflate
	// to.
	compressed, raw int64
	// frames is the number of frames of an animation. isFrame reports whether the image data is the
	// first of them.
	frames  int64
	isFrame bool
	all     animation
}

// parsePNG reads the chunks up to the last (ISO/IEC 15948). Chunks that determine pixels must
// match their checksums, which libvips ignores.
func parsePNG(data []byte, h *Header) error {
	r := &pngReader{data: data, header: h, seen: map[string]int{}}
	h.keep(data, 0, pngSignature)
	for at := int64(pngSignature); ; {
		kind, content, next := pngChunk(data, at)
		if next == 0 { // the chunk is incomplete
			if r.seen["IDAT"] == 0 || kind == "IDAT" {
				return truncated(PNG)
			}
			if kind == "fcTL" || kind == "fdAT" || r.animationFrames() < int(r.frames) {
				r.all.fault = "truncated png: the file ends too early"
			}
			h.repair("the end marker was missing")
			return r.end()
		}
		if r.seen["IHDR"] == 0 && kind != "IHDR" {
			return invalid("corrupt png: no header chunk")
		}
		valid := crc32.ChecksumIEEE(data[at+4:next-4]) == binary.BigEndian.Uint32(data[next-4:])
		if kind == "IEND" {
			if !valid {
				h.repair("the end marker did not match its checksum")
			}
			return r.end()
		}
		if err := r.chunk(kind, content, valid, at, next); err != nil {
			return err
		}
		at = next
	}
}

// pngChunk returns the chunk at an offset and the offset of the next one, or 0 if the chunk
// is truncated. The kind of a truncated chunk is returned if present.
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

// chunk parses a chunk and decides whether the decoder gets it. valid: the checksum matches.
func (r *pngReader) chunk(kind string, content []byte, valid bool, at, next int64) error {
	ancillary := kind[0]&0x20 != 0
	switch {
	case !valid && (!ancillary || kind == "tRNS"):
		return invalid("corrupt png: the chunk at byte %d does not match its checksum", at)
	case !ancillary && !pngKept[kind]:
		return invalid("corrupt png: the critical chunk at byte %d has an unknown type", at)
	case !valid:
		if kind == "fcTL" || kind == "fdAT" {
			r.all.fault = "corrupt png: a frame does not match its checksum"
		}
		r.header.repair("a chunk that did not match its checksum was left out")
		return nil
	}
	if kind == "fcTL" {
		r.readFrame(content, next)
	}
	keep, err := r.parse(kind, content)
	if keep && err == nil {
		r.header.keep(r.data, at, next)
	}
	return err
}

// parse parses a valid chunk and reports whether the decoder gets it.
func (r *pngReader) parse(kind string, content []byte) (keep bool, err error) {
	r.seen[kind]++
	keep = pngKept[kind] && (r.seen[kind] == 1 || kind == "IDAT")
	switch kind {
	case "IHDR":
		if len(content) != 13 || r.seen[kind] > 1 {
			return false, invalid("corrupt png: no header chunk")
		}
		r.readHeader(content)
	case "IDAT":
		if r.seen[kind] > 1 && !r.open {
			return false, invalid("corrupt png: its image data is interrupted")
		}
		r.compressed += int64(len(content))
		r.simple.idat = append(r.simple.idat, content)
	case "PLTE":
		r.readPalette(content)
	case "tRNS":
		r.header.Alpha = true
		r.readTransparency(content)
	case "iCCP":
		keep = r.profile(content) && keep
	case "acTL":
		r.readAnimation(content)
	case "fcTL":
		r.isFrame = r.isFrame || r.seen["IDAT"] == 0
	case "pHYs":
		r.header.density = densityOfPNG(content)
	case "eXIf":
		r.header.readEXIF(content)
		r.header.metadata.exif = content
	case "iTXt":
		r.header.metadata.readText(content)
	}
	r.open = kind == "IDAT"
	return keep, nil
}

// readHeader parses the content of an IHDR chunk.
func (r *pngReader) readHeader(ihdr []byte) {
	h := r.header
	h.Width, h.Height = int(binary.BigEndian.Uint32(ihdr)), int(binary.BigEndian.Uint32(ihdr[4:]))
	depth, kind := int(ihdr[8]), ihdr[9]
	r.interlaced = ihdr[12] != 0
	h.Alpha, h.colours = kind&4 != 0, 3
	if kind&2 == 0 {
		h.colours = 1
	}
	if kind&1 == 0 {
		h.Bits = depth
	}
	if r.interlaced { // the decoder holds up to four channels
		h.held = 4 * max(8, depth) / 8
	}
	channels := max(1, map[byte]int{2: 3, 4: 2, 6: 4}[kind])
	r.readFormat(ihdr, channels)
	row := func(width int) int64 { return 1 + (int64(width)*int64(channels*depth)+7)/8 }
	sides := [2]int{min(h.Width, 1<<24), min(h.Height, 1<<24)} // no limit on sides is higher; their product fits
	if !r.interlaced {
		// Valid data grows by compression only by the block headers.
		r.raw = int64(sides[1]) * row(sides[0])
		h.tail = int(16*(row(h.Width)+row(h.Width)/8) + 4<<10)
		return
	}
	for _, pass := range adam7 {
		width, height := (sides[0]-pass[0]+pass[2]-1)/pass[2], (sides[1]-pass[1]+pass[3]-1)/pass[3]
		if width > 0 && height > 0 {
			r.raw += int64(height) * row(width)
		}
	}
}

// adam7 are the interlace passes: first column, first row, and the steps across and down.
var adam7 = [7][4]int{
	{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2},
}

// maxProfile is the maximum size of an ICC profile in bytes. Printer profiles with lookup
// tables have two to three million bytes.
const maxProfile = 4 << 20

// profile parses the first ICC profile and reports whether the decoder gets it. Further
// profiles are left out, since libpng would inflate each.
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
	// Only a crafted file has its profile header beyond the first 4 KiB.
	inflated, err := zlib.NewReader(bytes.NewReader(chunk[:min(len(chunk), 4096)]))
	if err != nil {
		return false
	}
	head, _ := io.ReadAll(io.LimitReader(inflated, 4096)) // a truncated stream is enough
	if len(head) < 4 || binary.BigEndian.Uint32(head) > maxProfile {
		return false
	}
	r.header.readProfile(head)
	r.header.metadata.profile.deflated = chunk
	return true
}

var errSurplus = invalid("corrupt png: its image data is much larger than its pixels need")

// end completes the parts that the decoder reads.
func (r *pngReader) end() error {
	if r.compressed == 0 {
		return truncated(PNG)
	}
	h := r.header
	h.parts = append(h.parts, pngEnd)
	if h.Animated = r.isAnimated(); h.Animated {
		h.Frames = max(1, r.animationFrames())
		if r.all.frames = r.all.frames[:min(len(r.all.frames), r.animationFrames())]; len(r.all.frames) > 0 {
			r.all.holes, r.all.apart = true, !r.isFrame && r.all.fault == ""
			h.animation = &r.all
		}
	}
	// The overhead of chunks counts too; an empty chunk is all overhead.
	h.tail = int(int64(h.tail) * (r.compressed + pngOverhead*int64(r.seen["IDAT"])) / r.compressed)
	if r.compressed > r.raw+r.raw/8+64<<10 { // no encoder makes the data this much larger
		return errSurplus
	}
	r.chooseDecoder()
	// libpng inflates all interlaced data at once, so that tail does not limit it.
	const surplus = 64 << 20
	if r.interlaced && pngMaxRatio*r.compressed > r.raw+surplus {
		h.inspect = r.checkSurplus
	}
	return nil
}

// checkSurplus checks that the image data is not much larger than the pixels need, since
// libpng inflates all of it.
func (r *pngReader) checkSurplus(ctx context.Context) error {
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
		return nil // the decoder reports it
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
	return errSurplus
}
