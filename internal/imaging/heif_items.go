package imaging

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// heifFile are the items of a HEIF, which the box meta describes (ISO/IEC 23008-12, 6).
type heifFile struct {
	format     Format // for errors
	data, idat []byte
	primary    uint64
	items      map[uint64]*heifItem
	order      []uint64 // of items
	read       int      // the number of bytes of the data of items
	properties []box
}

// heifItem is an image, a part of one, or metadata.
type heifItem struct {
	id         uint64
	kind       string
	content    string // the media type of an item of kind mime that is not compressed
	inIDAT     bool
	extents    [][2]uint64 // offsets and lengths
	properties []box
	refs       map[string][]uint64 // the items that it refers to, by the kind of the reference
}

func (f *heifFile) corrupt(what string) error { return invalid("corrupt %s: %s", f.format, what) }

// readMeta reads the items from the inside of the box meta.
func (f *heifFile) readMeta(meta []byte) error {
	if len(meta) < 4 {
		return truncated(f.format)
	}
	boxes := boxesIn(meta[4:])
	iprp := boxesIn(find(boxes, "iprp"))
	f.properties, f.idat = boxesIn(find(iprp, "ipco")), find(boxes, "idat")
	pitm := &bitReader{data: find(boxes, "pitm")}
	f.primary = pitm.read(idSize(pitm.read(32), 1))
	if pitm.short || !f.readInfo(find(boxes, "iinf")) || !f.readLocations(find(boxes, "iloc")) ||
		!f.readReferences(find(boxes, "iref")) {
		return f.corrupt("its list of items is damaged")
	}
	for _, b := range iprp {
		if b.kind == "ipma" && !f.readAssociations(b.inside) {
			return f.corrupt("its list of properties is damaged")
		}
	}
	if f.items[f.primary] == nil {
		return f.corrupt("it has no primary image")
	}
	return nil
}

// idSize returns the size of item numbers in bits: 32 from a version of the box on, else 16.
// The version is the first of the four bytes at the begin of the box.
func idSize(versionAndFlags, since uint64) int {
	if versionAndFlags>>24 >= since {
		return 32
	}
	return 16
}

// readInfo reads the kinds of the items from the box iinf.
func (f *heifFile) readInfo(iinf []byte) bool {
	head := &bitReader{data: iinf}
	head.read(idSize(head.read(32), 1))
	if head.short {
		return false
	}
	for _, b := range boxesIn(head.rest()) {
		in := &bitReader{data: b.inside}
		version := in.read(32)
		if b.kind != "infe" || version>>24 < 2 {
			continue
		}
		item := &heifItem{id: in.read(idSize(version, 3)), refs: map[string][]uint64{}}
		in.read(16) // protection
		kind := in.rest()
		if in.short || len(kind) < 4 || len(f.order) == maxItems {
			return false
		}
		if f.items[item.id] == nil {
			item.kind, item.content = string(kind[:4]), contentOf(kind)
			f.items[item.id] = item
			f.order = append(f.order, item.id)
		}
	}
	return true
}

// readLocations reads the locations of the items' data from the box iloc.
func (f *heifFile) readLocations(iloc []byte) bool {
	b := &bitReader{data: iloc}
	version := b.read(32) >> 24
	offset, length := 8*int(b.read(4)), 8*int(b.read(4))
	base, index := 8*int(b.read(4)), 8*int(b.read(4))
	if version == 0 {
		index = 0
	}
	n := b.read(idSize(version<<24, 2))
	for ; n > 0 && n <= maxItems && !b.short; n-- {
		id := b.read(idSize(version<<24, 2))
		method := uint64(0)
		if version > 0 {
			method = b.read(16) & 15
		}
		elsewhere := b.read(16) != 0
		from := b.read(base)
		extents := b.read(16)
		if extents > maxExtents {
			return false
		}
		item := f.items[id]
		if item == nil || elsewhere || method > 1 || item.extents != nil { // no data that could be read here
			item = &heifItem{}
		}
		item.inIDAT = method == 1
		for ; extents > 0 && !b.short; extents-- {
			b.read(index)
			item.extents = append(item.extents, [2]uint64{from + b.read(offset), b.read(length)})
		}
	}
	return n == 0 && !b.short
}

// readReferences reads the references between items, from the box iref, which may be absent.
func (f *heifFile) readReferences(iref []byte) bool {
	if iref == nil {
		return true
	}
	head, total := &bitReader{data: iref}, uint64(0)
	size := idSize(head.read(32), 1)
	if head.short {
		return false
	}
	for _, ref := range boxesIn(head.rest()) {
		b := &bitReader{data: ref.inside}
		item := f.items[b.read(size)]
		n := b.read(16)
		if total += n; b.short || total > maxReferences {
			return false
		}
		if item == nil || item.refs[ref.kind] != nil {
			continue
		}
		for ; n > 0; n-- {
			item.refs[ref.kind] = append(item.refs[ref.kind], b.read(size))
		}
		if b.short {
			return false
		}
	}
	return true
}

// readAssociations reads the properties of the items, in the order in which they apply, from a
// box ipma. It fails if an item has a property that is essential to it and unknown here.
func (f *heifFile) readAssociations(ipma []byte) bool {
	b := &bitReader{data: ipma}
	head := b.read(32)
	for n := b.read(32); n > 0 && !b.short; n-- {
		item := f.items[b.read(idSize(head, 1))]
		for count := b.read(8); count > 0 && !b.short; count-- {
			essential, index := b.flag(), b.read(7+8*int(head&1))
			if index == 0 || item == nil {
				continue
			}
			if index > uint64(len(f.properties)) || len(item.properties) == maxProperties {
				return false
			}
			p := f.properties[index-1]
			if essential && !slices.Contains(knownProperties, p.kind) {
				p.kind = unknownProperty
			}
			item.properties = append(item.properties, p)
		}
	}
	return !b.short
}

// unknownProperty replaces the kind of a property that is essential to an image and unknown to this
// package.
const unknownProperty = "unknown"

var knownProperties = []string{
	"ispe", "pixi", "colr", "pasp", "av1C", "hvcC", "auxC", "clap", "irot", "imir", "clli", "mdcv", "lsel",
}

// property returns the inside of the first property of a kind, or nil.
func (i *heifItem) property(kind string) []byte { return find(i.properties, kind) }

// parts returns the data of an item, as parts of the file. They are not empty.
func (f *heifFile) parts(i *heifItem) ([][]byte, error) {
	from := f.data
	if i.inIDAT {
		from = f.idat
	}
	var parts [][]byte
	for _, e := range i.extents {
		if e[0] > uint64(len(from)) || e[1] > uint64(len(from))-e[0] {
			return nil, truncated(f.format)
		}
		if e[1] > 0 {
			parts = append(parts, from[e[0]:e[0]+e[1]:e[0]+e[1]])
		}
	}
	for _, part := range parts {
		f.read += len(part)
	}
	switch {
	case parts == nil:
		return nil, f.corrupt("an image has no data")
	case f.read > maxShared*len(f.data):
		return nil, f.corrupt("its images share their data")
	}
	return parts, nil
}

// mediaXMP is the media type of XMP.
const mediaXMP = "application/rdf+xml"

// contentOf returns the media type in a box infe from the kind on, or "" for other kinds and
// compressed content.
func contentOf(info []byte) string {
	name, rest, _ := bytes.Cut(info, []byte{0})
	media, encoding, _ := bytes.Cut(rest, []byte{0})
	if !bytes.HasPrefix(name, []byte("mime")) || len(bytes.Trim(encoding, "\x00")) > 0 {
		return ""
	}
	return string(media)
}

// metadata returns the EXIF data and the XMP of the primary image.
func (f *heifFile) metadata() (m metadata) {
	exif := f.described(func(i *heifItem) bool { return i.kind == "Exif" })
	if len(exif) >= 4 {
		skip, data := binary.BigEndian.Uint32(exif), exif[4:]
		m.exif = bytes.TrimPrefix(data[min(int(skip), len(data)):], []byte(exifPrefix))
	}
	m.xmp = f.described(func(i *heifItem) bool { return i.content == mediaXMP })
	return m
}

// described returns the data of the first item that describes the primary image, or nil.
func (f *heifFile) described(is func(*heifItem) bool) []byte {
	for _, id := range f.order {
		i := f.items[id]
		if !is(i) || !slices.Contains(i.refs["cdsc"], f.primary) {
			continue
		}
		parts, err := f.parts(i)
		if err != nil {
			return nil
		}
		return joined(parts)
	}
	return nil
}
