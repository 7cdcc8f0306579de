package imaging

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Keep selects the metadata that outputs keep, besides the density.
type Keep int

// The selections.
const (
	// KeepNothing drops all metadata.
	KeepNothing Keep = iota
	// KeepCopyright keeps the names of the creators and the rights, from EXIF, IPTC and XMP.
	KeepCopyright
	// KeepAll keeps EXIF without its thumbnail, XMP, and IPTC if the formats have a place for it.
	// The orientation becomes upright.
	KeepAll
)

// metadata has the blocks of metadata of a file, or those that an output keeps.
type metadata struct {
	exif []byte // a TIFF structure
	xmp  []byte // a packet
	iptc []byte // data sets of IPTC-IIM
	icc  []byte // a profile that an output keeps
	// profile is the profile of a file.
	profile storedProfile
}

// Prefixes of the segments of a JPEG.
const (
	exifPrefix      = "Exif\x00\x00"
	xmpPrefix       = "http://ns.adobe.com/xap/1.0/\x00"
	photoshopPrefix = "Photoshop 3.0\x00"
)

// Markers of the segments of a JPEG.
const (
	app1  = 0xe1
	app2  = 0xe2
	app13 = 0xed
)

// readSegment reads a segment of a JPEG. The first block of each kind counts.
func (m *metadata) readSegment(marker byte, segment []byte) {
	if exif, ok := bytes.CutPrefix(segment, []byte(exifPrefix)); ok && marker == app1 && m.exif == nil {
		m.exif = exif
	}
	if xmp, ok := bytes.CutPrefix(segment, []byte(xmpPrefix)); ok && marker == app1 && m.xmp == nil {
		m.xmp = xmp
	}
	if resources, ok := bytes.CutPrefix(segment, []byte(photoshopPrefix)); ok && marker == app13 && m.iptc == nil {
		m.iptc = iptcOf(resources)
	}
	if part, ok := bytes.CutPrefix(segment, []byte(iccPrefix)); ok && marker == app2 {
		m.profile.readSegment(part)
	}
}

// The image resource of Photoshop that holds IPTC-IIM.
const (
	resourceMark   = "8BIM"
	resourceIPTC   = 0x0404
	resourceHeader = 12 // with an empty name
)

// iptcOf returns the IPTC-IIM in image resources of Photoshop, or nil.
func iptcOf(resources []byte) []byte {
	be := binary.BigEndian
	for len(resources) >= resourceHeader && string(resources[:4]) == resourceMark {
		id, name := be.Uint16(resources[4:]), int(resources[6])
		at := 7 + name + (1+name)&1 // the name is padded with its length
		if len(resources) < at+4 {
			return nil
		}
		size := int64(be.Uint32(resources[at:]))
		if resources = resources[at+4:]; size > int64(len(resources)) {
			return nil
		}
		if id == resourceIPTC {
			return resources[:size]
		}
		resources = resources[min(size+size&1, int64(len(resources))):]
	}
	return nil
}

// pngXMP is the keyword of a text chunk with XMP, and the fields of an uncompressed text without
// a language.
const pngXMP = "XML:com.adobe.xmp\x00\x00\x00\x00\x00"

// readText reads an iTXt chunk of a PNG.
func (m *metadata) readText(chunk []byte) {
	if xmp, ok := bytes.CutPrefix(chunk, []byte(pngXMP)); ok && m.xmp == nil {
		m.xmp = xmp
	}
}

// TIFF tags of metadata.
const (
	tagArtist    = 315
	tagXMP       = 700
	tagCopyright = 33432
	tagIPTC      = 33723
)

// readTIFF reads the directory of a TIFF.
func (m *metadata) readTIFF(data []byte, form tiffForm, entries []directoryEntry) {
	texts := map[uint16][]byte{}
	for _, e := range entries {
		content, err := e.content(data, form)
		switch {
		case err != nil:
		case e.tag == tagXMP:
			m.xmp = content
		case e.tag == tagProfile:
			m.profile.parts = [][]byte{content}
		case e.tag == tagIPTC && e.kind != tiffLong: // some programs store it as numbers
			m.iptc = content
		case (e.tag == tagArtist || e.tag == tagCopyright) && e.kind == tiffASCII:
			texts[e.tag] = content
		}
	}
	m.exif = exifOf(texts)
}

// maxMetadata limits a block of metadata that is kept, in bytes.
const maxMetadata = 1 << 20

// kept returns the selected metadata for an upright image.
func (m metadata) kept(keep Keep) metadata {
	switch keep {
	case KeepCopyright:
		r := m.rights()
		return metadata{exif: exifOf(r.exif), xmp: r.packet()}
	case KeepAll:
		kept := metadata{exif: uprightEXIF(m.exif), xmp: uprightXMP(m.xmp), iptc: m.iptc}
		for _, block := range []*[]byte{&kept.exif, &kept.xmp, &kept.iptc} {
			if len(*block) > maxMetadata {
				*block = nil
			}
		}
		return kept
	}
	return metadata{}
}

// EXIF tags of the directory of the thumbnail.
const (
	tagThumbnail     = 513
	tagThumbnailSize = 514
)

// uprightEXIF returns a copy with the orientation 1 and without the thumbnail, which may show
// what the image does not. It returns nil for a block without a directory.
func uprightEXIF(exif []byte) []byte {
	exif = bytes.Clone(exif)
	entries, form, err := firstDirectory(exif)
	if err != nil || form.header != 8 {
		return nil
	}
	for _, e := range entries {
		if e.orientation(form) != 0 {
			e.setUpright(form)
		}
	}
	link := form.first(exif) + form.counter + form.entry*int64(len(entries))
	if link+form.field > int64(len(exif)) {
		return exif
	}
	thumbnail, _, err := form.directory(exif, form.offset(exif[link:link+form.field]))
	clear(exif[link : link+form.field])
	if err == nil {
		erase(exif, form, thumbnail)
	}
	return exif
}

// erase overwrites the JPEG of a thumbnail.
func erase(exif []byte, form tiffForm, entries []directoryEntry) {
	fields := map[uint16]int64{}
	for _, e := range entries {
		if e.kind == tiffLong && e.count == 1 {
			fields[e.tag] = int64(form.Uint32(e.value))
		}
	}
	size := int64(len(exif))
	from := min(fields[tagThumbnail], size)
	clear(exif[from:min(from+fields[tagThumbnailSize], size)])
}

// exifOf returns a TIFF structure with texts by their tags, or nil if there are none.
func exifOf(texts map[uint16][]byte) []byte {
	le := binary.LittleEndian
	var tags []uint16
	for tag, text := range texts {
		if len(text) > 0 && len(text) <= maxText {
			tags = append(tags, tag)
		}
	}
	if tags == nil {
		return nil
	}
	slices.Sort(tags)
	out := append([]byte("II*\x00\x08\x00\x00\x00"), byte(len(tags)), 0)
	var values []byte
	begin := len(out) + 12*len(tags) + 4
	for _, tag := range tags {
		out = le.AppendUint16(le.AppendUint16(out, tag), tiffASCII)
		out = le.AppendUint32(out, uint32(len(texts[tag])))
		if text := texts[tag]; len(text) <= 4 {
			out = append(out, append(text[:len(text):len(text)], 0, 0, 0, 0)[:4]...)
		} else {
			out = le.AppendUint32(out, uint32(begin+len(values)))
			values = append(append(values, text...), make([]byte, len(text)&1)...)
		}
	}
	return append(append(out, 0, 0, 0, 0), values...)
}

// maxText limits a text that is kept, in bytes.
const maxText = 8 << 10
