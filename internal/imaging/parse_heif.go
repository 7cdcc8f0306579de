package imaging

import (
	"encoding/binary"
	"image"
	"slices"
)

// The limits on the boxes of a HEIF are above those of cameras and encoders: a grid of 50 MP
// has about 800 tiles, and an item one or two extents and up to ten properties.
const (
	maxBoxes      = 8192
	maxItems      = 4096
	maxReferences = 4 * maxItems
	maxExtents    = 32 // of an item
	maxProperties = 32 // of an item
	// maxShared is how often the data of the file may be read: some encoders store equal tiles
	// once.
	maxShared = 16
)

// box is a box of ISO/IEC 14496-12. whole includes its header.
type box struct {
	kind          string
	whole, inside []byte
}

// boxesIn returns the boxes in data, up to the first one that is cut or malformed.
func boxesIn(data []byte) []box {
	var all []box
	for len(data) >= 8 && len(all) < maxBoxes {
		header, size := uint64(8), uint64(binary.BigEndian.Uint32(data))
		switch {
		case size == 0: // up to the end
			size = uint64(len(data))
		case size == 1 && len(data) >= 16:
			header, size = 16, binary.BigEndian.Uint64(data[8:])
		}
		if size < header || size > uint64(len(data)) {
			break
		}
		all = append(all, box{string(data[4:8]), data[:size:size], data[header:size:size]})
		data = data[size:]
	}
	return all
}

// find returns the inside of the first box of a kind, or nil.
func find(boxes []box, kind string) []byte {
	if i := slices.IndexFunc(boxes, func(b box) bool { return b.kind == kind }); i >= 0 {
		return boxes[i].inside
	}
	return nil
}

// isHEIF returns a function that reports whether a file lists one of the brands.
func isHEIF(brands ...string) func([]byte) bool {
	return func(data []byte) bool {
		return slices.ContainsFunc(brandsOf(data), func(b string) bool { return slices.Contains(brands, b) })
	}
}

// brandsOf returns the brands in the first box of a file made of boxes, or nil for other files.
func brandsOf(data []byte) []string {
	if len(data) < 12 || string(data[4:8]) != "ftyp" {
		return nil
	}
	end := min(int64(binary.BigEndian.Uint32(data)), int64(len(data)), 256)
	var listed []string
	for at := int64(8); at+4 <= end; at += 4 {
		if at != 12 { // these four bytes are a version
			listed = append(listed, string(data[at:at+4]))
		}
	}
	return listed
}

// parseHEIF parses the boxes of a still image in HEIF (ISO/IEC 23008-12), coded as AV1 or HEVC.
// The decoder never sees this file: it gets one that has only the items that it needs, with the
// facts that were checked here.
func parseHEIF(data []byte, h *Header) error {
	top := boxesIn(data)
	meta := find(top, "meta")
	if meta == nil {
		if slices.ContainsFunc(brandsOf(data), func(b string) bool { return b == "avis" || b == "hevc" || b == "msf1" }) {
			return invalid("%s of frames without a still image", h.Format)
		}
		return truncated(h.Format)
	}
	if h.Animated = find(top, "moov") != nil; h.Animated {
		h.Frames = 0
	}
	f := &heifFile{format: h.Format, data: data, items: map[uint64]*heifItem{}}
	if err := f.readMeta(meta); err != nil {
		return err
	}
	m, err := f.image(f.primary)
	if err != nil {
		return err
	}
	h.Format = map[string]Format{"av01": AVIF, "hvc1": HEIC}[m.tiles[0].kind]
	alpha, err := f.alphaOf(m)
	if err != nil {
		return err
	}
	if err := m.describe(h); err != nil {
		return err
	}
	h.Alpha = alpha != nil
	h.multiplied = h.Alpha && slices.Contains(m.refs["prem"], alpha.id)
	described := f.metadata()
	h.metadata.exif, h.metadata.xmp = described.exif, described.xmp
	h.density = densityOfEXIF(described.exif)
	held := 0
	if h.av1 = av1Of(m, alpha, h); h.av1 != nil {
		held = h.av1.held()
	} else {
		h.parts, held = heifParts(h.Format, m, alpha), m.held(alpha)
	}
	h.held = ceilDiv(held*m.width*m.height, h.Width*h.Height)
	return nil
}

// describe sets the size, the orientation and the profile of an image.
func (m *heifImage) describe(h *Header) error {
	h.colours, h.Bits = 3, m.tiles[0].depth
	if m.tiles[0].chroma == 0 {
		h.space = spaceGrey
	}
	h.Width, h.Height = m.width, m.height
	m.shown = image.Rect(0, 0, m.width, m.height)
	for _, p := range m.properties {
		switch {
		case p.kind == "clap":
			if h.Orientation != 1 {
				return invalid("%s that is cropped after a rotation", h.Format)
			}
			clean, ok := cleanAperture(p.inside, h.Width, h.Height)
			if !ok {
				return invalid("corrupt %s: it is cropped beyond its edges", h.Format)
			}
			m.crops = append(m.crops, clapBox(clean, h.Width, h.Height))
			m.shown = clean.Add(m.shown.Min)
			h.Width, h.Height = clean.Dx(), clean.Dy()
			h.uncropped = image.Pt(m.width, m.height)
		case p.kind == "irot" && len(p.inside) > 0:
			*h = h.Turned(4-int(p.inside[0]&3), false) // it counts anticlockwise
		case p.kind == "imir" && len(p.inside) > 0: // 1 is left to right, 0 top to bottom
			*h = h.Turned(2-2*int(p.inside[0]&1), true)
		}
	}
	for _, p := range slices.Concat(m.properties, m.tiles[0].properties) {
		if p.kind == "colr" && len(p.inside) > 4 && (string(p.inside[:4]) == "prof" || string(p.inside[:4]) == "rICC") {
			h.setProfile(p.inside[4:])
			return nil
		}
	}
	if c := m.nclx().cicp; !c.isSRGB() {
		h.setProfile(c.icc())
		h.fromCodes = true
	}
	return nil
}

// cleanAperture returns the rectangle of a clap box (ISO/IEC 14496-12, 12.1.4.2), in whole
// pixels, and whether it is in the image.
func cleanAperture(clap []byte, width, height int) (image.Rectangle, bool) {
	b := &bitReader{data: clap}
	w, wide := int64(int32(b.read(32))), int64(int32(b.read(32)))
	h, high := int64(int32(b.read(32))), int64(int32(b.read(32)))
	x, ofX := int64(int32(b.read(32))), int64(int32(b.read(32)))
	y, ofY := int64(int32(b.read(32))), int64(int32(b.read(32)))
	if b.short || wide < 1 || high < 1 || ofX < 1 || ofY < 1 {
		return image.Rectangle{}, false
	}
	w, h = (2*w+wide)/(2*wide), (2*h+high)/(2*high)
	left := floorDiv(2*x+ofX*(int64(width)-w), 2*ofX)
	top := floorDiv(2*y+ofY*(int64(height)-h), 2*ofY)
	if w < 1 || h < 1 || left < 0 || top < 0 || left+w > int64(width) || top+h > int64(height) {
		return image.Rectangle{}, false
	}
	return image.Rect(int(left), int(top), int(left+w), int(top+h)), true
}

func floorDiv(a, b int64) int64 {
	if a < 0 {
		return -((-a + b - 1) / b)
	}
	return a / b
}
