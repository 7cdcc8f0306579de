package imaging

import (
	"bytes"
	"encoding/binary"
	"image"
	"io"
	"sync"

	"github.com/andybalholm/brotli"
)

const (
	jxlCodestream = "\xff\x0a"
	jxlContainer  = "\x00\x00\x00\x0cJXL \r\n\x87\n"
)

func beginsJXL(b []byte) bool { return magic(jxlCodestream)(b) || magic(jxlContainer)(b) }

// jxlData describes a JPEG XL for libjxl.
type jxlData struct {
	// codestream has all frames up to the first one that is shown.
	codestream []byte
	grey       bool
	// icc is the profile that outputs can keep. It is read when it is needed.
	icc     []byte
	reading sync.Once
}

// parseJXL parses a codestream of JPEG XL (ISO/IEC 18181-1), with or without its container
// (18181-2): the image header and the headers of all frames. The decoder gets only the part of
// the codestream that makes the first image.
func parseJXL(data []byte, h *Header) error {
	stream := data
	if magic(jxlContainer)(data) {
		var err error
		if stream, err = h.readJXLBoxes(data); err != nil {
			return err
		}
	}
	r := &jxlReader{data: stream}
	m, err := r.readImage()
	if err != nil {
		return err
	}
	if m.width > maxJXLSide || m.height > maxJXLSide {
		return invalid("jxl of %d×%d pixels: a side is longer than %d", m.width, m.height, maxJXLSide)
	}
	if m.inks {
		return invalid("jxl in CMYK: supported are RGB and grey")
	}
	h.Width, h.Height, h.Orientation, h.Alpha, h.Bits, h.colours = m.width, m.height, m.orientation, m.alpha, m.bits, 3
	if m.grey {
		h.space = spaceGrey
	}
	if m.icc && !r.skipProfile() {
		if r.short {
			return truncated(JXL)
		}
		return invalid("corrupt jxl: its ICC profile is damaged or larger than %d bytes", maxJXLNumbers)
	}
	r.align()
	h.jxl = &jxlData{grey: m.grey}
	return h.readJXLFrames(r, m)
}

// readJXLBoxes returns the codestream of a container, and reads its EXIF and XMP.
func (h *Header) readJXLBoxes(data []byte) ([]byte, error) {
	boxes, rest := boxesAndRest(data)
	var parts [][]byte
	last, found := false, map[string][]byte{}
	for _, b := range boxes {
		switch {
		case b.kind == "jxlc" && parts == nil:
			parts, last = [][]byte{b.inside}, true
		case b.kind == "jxlc", b.kind == "jxlp" && (last || len(b.inside) < 4):
			return nil, invalid("corrupt jxl: its codestream has odd parts")
		case b.kind == "jxlp":
			index := binary.BigEndian.Uint32(b.inside)
			if int(index&^(1<<31)) != len(parts) {
				return nil, invalid("corrupt jxl: its codestream has odd parts")
			}
			parts, last = append(parts, b.inside[4:]), index>>31 != 0
		default:
			readJXLMetadata(b, found)
		}
	}
	if exif := found["Exif"]; len(exif) > 4 {
		skip := int64(binary.BigEndian.Uint32(exif))
		h.metadata.exif = exif[min(4+skip, int64(len(exif))):]
		h.density = densityOfEXIF(h.metadata.exif)
	}
	h.metadata.xmp = found["xml "]
	if !last || len(rest) > 0 && !isZero(rest) {
		return nil, truncated(JXL)
	}
	stream := joined(parts)
	if !magic(jxlCodestream)(stream) {
		return nil, invalid("corrupt jxl: its codestream has no signature")
	}
	return stream, nil
}

// readJXLMetadata adds the content of a box with metadata to those that were found, by their kinds. The
// first box of each kind counts, so that at most two are decompressed.
func readJXLMetadata(b box, found map[string][]byte) {
	kind, inside := b.kind, b.inside
	if b.kind == "brob" && len(b.inside) > 4 {
		kind = string(b.inside[:4])
	}
	if _, ok := found[kind]; ok || kind != "Exif" && kind != "xml " {
		return
	}
	if b.kind == "brob" {
		packed := brotli.NewReader(bytes.NewReader(b.inside[4:]))
		var err error
		if inside, err = io.ReadAll(io.LimitReader(packed, maxMetadata+1)); err != nil || len(inside) > maxMetadata {
			inside = nil
		}
	}
	found[kind] = inside
}

// boxesAndRest returns the boxes in data, and what follows the last one that is complete.
func boxesAndRest(data []byte) ([]box, []byte) {
	boxes := boxesIn(data)
	for _, b := range boxes {
		data = data[len(b.whole):]
	}
	return boxes, data
}

func isZero(data []byte) bool { return len(bytes.Trim(data, "\x00")) == 0 }

// The limits on the frames of an image. Encoders make up to four before the one that is shown,
// and layers may be somewhat larger than the image.
const (
	maxJXLFrames = 256
	// maxJXLArea is the area of all frames before the first image is shown, compared with it.
	maxJXLArea = 16
	maxJXLSide = 1 << 20
)

// readJXLFrames reads the headers of all frames. It sets the part of the codestream that the
// decoder needs, and the memory that it takes.
func (h *Header) readJXLFrames(r *jxlReader, m *jxlImage) error {
	whole := image.Pt(m.width, m.height)
	if m.previewWidth > 0 {
		if f := r.readFrame(m, image.Pt(m.previewWidth, m.previewHeight)); r.short || !r.skipSections(f) {
			return truncated(JXL)
		}
	}
	shown, area, memory := 0, 0, jxlMemory{}
	for frames, last := 0, false; !last; frames++ {
		f := r.readFrame(m, whole)
		if !f.fits(whole) {
			return invalid("jxl with a frame of %d×%d pixels in an image of %d×%d", f.size.X, f.size.Y, whole.X, whole.Y)
		}
		area += f.size.X * f.size.Y
		if shown == 0 && (frames >= maxJXLFrames || area > maxJXLArea*max(m.width*m.height, minCanvas*minCanvas)) {
			return invalid("jxl with more than %d frames, or large ones, in an image", maxJXLFrames)
		}
		if r.short {
			return truncated(JXL)
		}
		if !r.skipSections(f) {
			if r.short {
				return truncated(JXL)
			}
			return invalid("corrupt jxl: its table of contents is damaged")
		}
		if shown == 0 {
			memory.add(f, m)
		}
		if last = f.last; f.shown() {
			if shown++; shown == 1 {
				h.jxl.codestream = r.data[:r.at/8]
			}
		}
	}
	h.Frames, h.Animated = shown, shown > 1
	h.held = ceilDiv(memory.total(), max(1, m.width*m.height)) + h.channels()
	return nil
}

// fits reports whether a frame is not much larger than the image.
func (f *jxlFrame) fits(whole image.Point) bool {
	fits := func(side, of int) bool { return side > 0 && side <= max(maxPadding*of, minCanvas) }
	return fits(f.size.X, whole.X) && fits(f.size.Y, whole.Y)
}

// jxlMemory is the memory that libjxl takes, in bytes. README.md has the measured values.
type jxlMemory struct {
	working int
	// saved are the frames that later ones use, by their places; the last one is for coarse
	// frames.
	saved [5]int
}

// add adds a frame.
func (j *jxlMemory) add(f *jxlFrame, m *jxlImage) {
	area, channels := f.size.X*f.size.Y, 3+len(m.extra)
	each := 7 * channels
	switch {
	case !f.modular && len(m.extra) > 0:
		each = 9 * channels
	case !f.modular:
		each = 8
	}
	if f.passes > 1 && !f.modular {
		each += 12 // the coefficients
	}
	if f.partial || f.mode != jxlReplace {
		each += 4 * channels // of the image before
	}
	j.working = max(j.working, each*area)
	switch {
	case f.kind == jxlCoarse:
		j.saved[4] += 4 * channels * ceilDiv(area, 64)
	case !f.last:
		j.saved[f.saved] = max(j.saved[f.saved], 4*channels*max(area, m.width*m.height))
	}
}

func (j *jxlMemory) total() int {
	total := j.working
	for _, saved := range j.saved {
		total += saved
	}
	return total
}
