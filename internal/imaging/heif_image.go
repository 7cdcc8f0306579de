package imaging

import (
	"bytes"
	"image"
	"slices"
)

// heifImage is an image that is coded as one item or as a grid of tiles of equal size.
type heifImage struct {
	*heifItem
	// width and height are in pixels, before the image is cropped and turned.
	width, height int
	// grid is the data of a grid; nil for an image of one item.
	grid  []byte
	tiles []*heifTile
	// shown is the part of the image that remains after the boxes that crop it.
	shown image.Rectangle
	crops [][]byte
}

// heifTile is a coded image.
type heifTile struct {
	*heifItem
	// width and height are in pixels.
	width, height int
	// depth is the number of bits per channel. chroma is 0 for grey, 1 for 4:2:0, 2 for 4:2:2
	// and 3 for 4:4:4.
	depth, chroma int
	// nclx describes the colours as the coded data does; only for AV1.
	nclx nclx
	// config is the box that describes the coding to the decoder.
	config []byte
	// data are the parts of the file that have the coded image.
	data [][]byte
}

// joined returns the concatenation of parts.
func joined(parts [][]byte) []byte {
	if len(parts) == 1 {
		return parts[0]
	}
	return bytes.Join(parts, nil)
}

// maxPadding is how many times larger than the image the tiles of a grid may be, along a side
// longer than minCanvas. The rest is not shown, but decoded.
const maxPadding, minCanvas = 2, 1024

// image returns the image of an item.
func (f *heifFile) image(id uint64) (*heifImage, error) {
	item := f.items[id]
	if item == nil {
		return nil, f.corrupt("a part of the image is missing")
	}
	if i := slices.IndexFunc(item.properties, func(p box) bool { return p.kind == unknownProperty }); i >= 0 {
		return nil, invalid("%s with the unknown property %q", f.format, item.properties[i].whole[4:8])
	}
	if item.kind == "grid" {
		return f.gridOf(item)
	}
	tile, err := f.tile(item)
	if err != nil {
		return nil, err
	}
	return &heifImage{heifItem: item, width: tile.width, height: tile.height, tiles: []*heifTile{tile}}, nil
}

// gridOf returns the image of a grid of tiles (ISO/IEC 23008-12, 6.6.2.3). A tile is never a
// grid.
func (f *heifFile) gridOf(item *heifItem) (*heifImage, error) {
	parts, err := f.parts(item)
	if err != nil {
		return nil, err
	}
	m := &heifImage{heifItem: item, grid: bytes.Join(parts, nil)}
	b := &bitReader{data: m.grid}
	size := 16 + 16*int(b.read(16)&1)
	rows, columns := int(b.read(8))+1, int(b.read(8))+1
	m.width, m.height = int(b.read(size)), int(b.read(size))
	if w, h, ok := item.size(); b.short || !ok || w != m.width || h != m.height || len(item.refs["dimg"]) != rows*columns {
		return nil, f.corrupt("its grid does not fit its tiles")
	}
	for _, id := range item.refs["dimg"] {
		tile := f.items[id]
		if tile == nil {
			return nil, f.corrupt("a tile is missing")
		}
		t, err := f.tile(tile)
		if err != nil {
			return nil, err
		}
		m.tiles = append(m.tiles, t)
		if first := m.tiles[0]; t.width != first.width || t.height != first.height || t.kind != first.kind ||
			t.depth != first.depth || t.chroma != first.chroma {
			return nil, f.corrupt("its tiles differ")
		}
	}
	if t := m.tiles[0]; !fitsGrid(m.width, t.width, columns) || !fitsGrid(m.height, t.height, rows) {
		return nil, f.corrupt("its tiles do not fit its size")
	}
	return m, nil
}

// fitsGrid reports whether n tiles cover a side of an image, each of them some of it, without
// much padding.
func fitsGrid(side, tile, n int) bool {
	return n*tile >= side && (n-1)*tile < side && n*tile <= max(maxPadding*side, minCanvas)
}

// size returns the size in the property ispe, in pixels.
func (i *heifItem) size() (width, height int, ok bool) {
	b := &bitReader{data: i.property("ispe")}
	b.read(32)
	width, height = int(b.read(32)), int(b.read(32))
	const tooLarge = 1 << 20
	return width, height, !b.short && width > 0 && height > 0 && width < tooLarge && height < tooLarge
}

// tile returns a coded image. The size and the depth that the decoder will find in its data are
// those of the tile, and its data has one frame.
func (f *heifFile) tile(item *heifItem) (*heifTile, error) {
	t := &heifTile{heifItem: item}
	var ok bool
	if t.width, t.height, ok = item.size(); !ok {
		return nil, f.corrupt("an image has no size")
	}
	var err error
	if t.data, err = f.parts(item); err != nil {
		return nil, err
	}
	switch item.kind {
	case "av01":
		return t, t.checkAV1(f)
	case "hvc1":
		t.nclx = unspecified
		return t, t.checkHEVC(f)
	}
	return nil, invalid("%s coded as %q: supported are AV1 and HEVC", f.format, item.kind)
}

// alphaOf returns the image with the alpha channel of another one, or nil.
func (f *heifFile) alphaOf(m *heifImage) (*heifImage, error) {
	for _, id := range f.order {
		item := f.items[id]
		if !slices.Contains(item.refs["auxl"], m.id) || !item.isAlpha() {
			continue
		}
		alpha, err := f.image(id)
		if err != nil {
			return nil, err
		}
		if alpha.width != m.width || alpha.height != m.height || alpha.tiles[0].kind != m.tiles[0].kind {
			return nil, invalid("%s with an alpha channel of another size or coding", f.format)
		}
		return alpha, nil
	}
	return nil, nil
}

// isAlpha reports whether the item has the property of alpha channels.
func (i *heifItem) isAlpha() bool {
	auxC := i.property("auxC")
	if len(auxC) < 4 {
		return false
	}
	kind, _, _ := bytes.Cut(auxC[4:], []byte{0})
	return slices.Contains([]string{"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", "urn:mpeg:hevc:2015:auxid:1"}, string(kind))
}

// held returns the memory that libvips and libheif hold while they decode the image with its
// alpha channel, which may be nil, in bytes per pixel. README.md has the measured values.
func (m *heifImage) held(alpha *heifImage) int {
	t := m.tiles[0]
	switch {
	case t.depth > 8 || alpha != nil && alpha.tiles[0].depth > 8:
		return 26
	case t.kind == "hvc1":
		return 12
	case t.chroma > 1:
		return 19
	}
	return 15
}
