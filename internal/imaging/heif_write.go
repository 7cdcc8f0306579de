package imaging

import (
	"bytes"
	"encoding/binary"
	"image"
	"slices"
)

// boxOf returns a box with the concatenation of its contents.
func boxOf(kind string, inside ...[]byte) []byte {
	b := append(make([]byte, 4, 8), kind...)
	for _, part := range inside {
		b = append(b, part...)
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	return b
}

// be16 and be32 return numbers as bytes.
func be16(numbers ...int) []byte {
	var b []byte
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	}
	return b
}

func be32(numbers ...int) []byte {
	var b []byte
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint32(b, uint32(n))
	}
	return b
}

// clapBox returns the box that crops an image of width × height pixels to a rectangle.
func clapBox(clean image.Rectangle, width, height int) []byte {
	return boxOf("clap", be32(clean.Dx(), 1, clean.Dy(), 1,
		2*clean.Min.X+clean.Dx()-width, 2, 2*clean.Min.Y+clean.Dy()-height, 2))
}

// heifWriter collects the items of a HEIF.
type heifWriter struct {
	infos, references, properties, associations []byte
	// index has the numbers of the properties, counted from 1.
	index map[string]int
	// sizes are the sizes of the items, and parts their data.
	sizes []int
	parts [][]byte
}

// heifParts returns the parts of a HEIF that has only an image and its alpha channel, which may
// be nil.
func heifParts(f Format, m, alpha *heifImage) [][]byte {
	w := &heifWriter{index: map[string]int{}}
	w.imageWithAlpha(m, alpha, m.profiles())
	return append([][]byte{w.head(f)}, w.parts...)
}

// imageWithAlpha adds an image with its colour profiles and its alpha channel, which may be nil, and
// returns its number.
func (w *heifWriter) imageWithAlpha(m, alpha *heifImage, profiles [][]byte) int {
	first := w.image(m, profiles, m.crops)
	if alpha != nil {
		kind := boxOf("auxC", be32(0), []byte("urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\x00"))
		second := w.image(alpha, nil, append([][]byte{kind}, m.crops...))
		w.refer("auxl", second, first)
	}
	return first
}

// refer adds a reference between two items.
func (w *heifWriter) refer(kind string, from, to int) {
	w.references = append(w.references, boxOf(kind, be16(from, 1, to))...)
}

// profiles returns the boxes that describe the colours of an item.
func (i *heifItem) profiles() [][]byte {
	var boxes [][]byte
	for _, p := range i.properties {
		if p.kind == "colr" {
			boxes = append(boxes, p.whole)
		}
	}
	return boxes
}

// image adds an image with colour profiles and further properties, and returns its number. Tiles
// without a profile have those of the image.
func (w *heifWriter) image(m *heifImage, profiles, more [][]byte) int {
	if m.grid == nil {
		t := m.tiles[0]
		return w.item(t.kind+"\x00", false, t.data, slices.Concat([][]byte{sizeBox(t.width, t.height), t.depths(), t.config}, profiles, more))
	}
	own := [][]byte{sizeBox(m.width, m.height), m.tiles[0].depths()}
	grid := w.item("grid\x00", false, [][]byte{m.grid}, slices.Concat(own, profiles, more))
	refs := be16(grid, len(m.tiles))
	for _, t := range m.tiles {
		own := t.profiles()
		if own == nil {
			own = profiles
		}
		id := w.item(t.kind+"\x00", true, t.data, append([][]byte{sizeBox(t.width, t.height), t.config}, own...))
		refs = append(refs, be16(id)...)
	}
	w.references = append(w.references, boxOf("dimg", refs)...)
	return grid
}

// depths returns the box of the bits of each channel.
func (t *heifTile) depths() []byte {
	channels := byte(3)
	if t.chroma == 0 {
		channels = 1
	}
	return boxOf("pixi", be32(0), []byte{channels}, bytes.Repeat([]byte{byte(t.depth)}, int(channels)))
}

func sizeBox(width, height int) []byte { return boxOf("ispe", be32(0, width, height)) }

// essentialProperties are the properties without which an image cannot be shown.
var essentialProperties = []string{"av1C", "hvcC", "clap"}

// item adds an item and returns its number. kind may have more fields of the box infe.
func (w *heifWriter) item(kind string, hidden bool, data, properties [][]byte) int {
	id, flags := len(w.sizes)+1, 2<<24
	if hidden {
		flags |= 1
	}
	w.infos = append(w.infos, boxOf("infe", be32(flags), be16(id, 0), []byte(kind))...)
	w.associations = append(append(w.associations, be16(id)...), byte(len(properties)))
	for _, p := range properties {
		if w.index[string(p)] == 0 {
			w.index[string(p)] = len(w.index) + 1
			w.properties = append(w.properties, p...)
		}
		index := w.index[string(p)]
		if slices.Contains(essentialProperties, string(p[4:8])) {
			index |= 0x8000
		}
		w.associations = append(w.associations, be16(index)...)
	}
	size := 0
	for _, part := range data {
		size += len(part)
	}
	w.sizes, w.parts = append(w.sizes, size), append(w.parts, data...)
	return id
}

// head returns the file up to the data of its items.
func (w *heifWriter) head(f Format) []byte {
	brand := map[Format]string{AVIF: "avif", HEIC: "heic"}[f]
	boxes := [][]byte{
		boxOf("hdlr", be32(0, 0), []byte("pict"), be32(0, 0, 0), []byte{0}),
		boxOf("pitm", be32(0), be16(1)),
		boxOf("iinf", be32(0), be16(len(w.sizes)), w.infos),
		boxOf("iprp", boxOf("ipco", w.properties), boxOf("ipma", be32(1, len(w.sizes)), w.associations)),
	}
	if w.references != nil {
		boxes = append(boxes, boxOf("iref", be32(0), w.references))
	}
	start, total := 0, 8
	for _, size := range w.sizes {
		total += size
	}
	var head []byte
	for range 2 { // the first round determines where the data begins
		meta := boxOf("meta", be32(0), bytes.Join(boxes, nil), w.locations(start))
		head = slices.Concat(boxOf("ftyp", []byte(brand), be32(0), []byte("mif1miaf"+brand)), meta, be32(total), []byte("mdat"))
		start = len(head)
	}
	return head
}

// locations returns the box iloc of items that follow each other from start on.
func (w *heifWriter) locations(start int) []byte {
	list := append(be32(0), be16(0x4400, len(w.sizes))...)
	for i, size := range w.sizes {
		list = append(append(list, be16(i+1, 0, 1)...), be32(start, size)...)
		start += size
	}
	return boxOf("iloc", list)
}
