package imaging

import (
	"bytes"
	"slices"
)

// addToAVIF writes an AVIF of libheif anew, with items of the metadata. Code points next to an ICC
// profile describe only the matrix and the range.
func (m metadata) addToAVIF(data []byte) []byte {
	f := &heifFile{format: AVIF, data: data, items: map[uint64]*heifItem{}}
	if f.readMeta(find(boxesIn(data), "meta")) != nil {
		return data
	}
	image, err := f.image(f.primary)
	if err != nil {
		return data
	}
	alpha, err := f.alphaOf(image)
	if err != nil {
		return data
	}
	profiles := image.profiles()
	if m.icc != nil {
		colours := image.nclx()
		profiles = [][]byte{boxOf("colr", []byte("prof"), m.icc), nclx{unspecified.cicp, colours.matrix, colours.full}.box()}
	}
	w := &heifWriter{index: map[string]int{}}
	first := w.imageWithAlpha(image, alpha, profiles)
	if m.exif != nil { // after the offset of the TIFF structure
		w.refer("cdsc", w.item("Exif\x00", false, [][]byte{be32(0), m.exif}, nil), first)
	}
	if m.xmp != nil {
		w.refer("cdsc", w.item("mime\x00"+mediaXMP+"\x00", false, [][]byte{m.xmp}, nil), first)
	}
	return bytes.Join(slices.Insert(w.parts, 0, w.head(AVIF)), nil)
}
