package imaging

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
)

// stamped returns a copy of an image encoded by libvips or libjpeg, with the density and the
// metadata.
func (c carried) stamped(f Format, data []byte) []byte {
	return c.metadata.addTo(f, c.density.stamped(f, data))
}

// addTo returns an encoded image with the metadata. It leaves out blocks that are too long for
// the format.
func (m metadata) addTo(f Format, data []byte) []byte {
	if m.exif == nil && m.xmp == nil && m.iptc == nil && m.icc == nil {
		return data
	}
	switch f {
	case JPEG:
		return m.addToJPEG(data)
	case PNG:
		return m.addToPNG(data)
	case WebP:
		return m.addToWebP(data)
	case TIFF:
		return m.addToTIFF(data)
	case AVIF:
		return m.addToAVIF(data)
	case JXL:
		return m.addToJXL(data)
	}
	return data
}

// addToJPEG inserts segments after the JFIF segment.
func (m metadata) addToJPEG(data []byte) []byte {
	at := 4 + int(binary.BigEndian.Uint16(data[4:]))
	out := append(make([]byte, 0, len(data)+len(m.exif)+len(m.xmp)+len(m.iptc)+256), data[:at]...)
	out = appendSegment(out, app1, exifPrefix, m.exif)
	out = appendSegment(out, app1, xmpPrefix, m.xmp)
	if m.iptc != nil {
		resource := binary.BigEndian.AppendUint16([]byte(resourceMark), resourceIPTC)
		resource = binary.BigEndian.AppendUint32(append(resource, 0, 0), uint32(len(m.iptc)))
		resource = append(append(resource, m.iptc...), make([]byte, len(m.iptc)&1)...)
		out = appendSegment(out, app13, photoshopPrefix, resource)
	}
	return append(appendProfile(out, m.icc), data[at:]...)
}

// appendSegment appends a segment to a JPEG, unless the content is nil or too long.
func appendSegment(jpeg []byte, marker byte, prefix string, content []byte) []byte {
	length := 2 + len(prefix) + len(content)
	if content == nil || length > math.MaxUint16 {
		return jpeg
	}
	jpeg = binary.BigEndian.AppendUint16(append(jpeg, 0xff, marker), uint16(length))
	return append(append(jpeg, prefix...), content...)
}

// addToPNG inserts chunks after the header chunk.
func (m metadata) addToPNG(data []byte) []byte {
	const header = 8 + 25 // the signature and the header chunk
	out := bytes.Clone(data[:header])
	if m.icc != nil {
		out = appendChunk(out, "iCCP", deflatedProfile(m.icc))
	}
	if m.exif != nil {
		out = appendChunk(out, "eXIf", m.exif)
	}
	if m.xmp != nil {
		out = appendChunk(out, "iTXt", append([]byte(pngXMP), m.xmp...))
	}
	return append(out, data[header:]...)
}

// Flags of an extended WebP.
const (
	webpXMP   = 4
	webpEXIF  = 8
	webpAlpha = 16
	webpICC   = 32
)

// addToWebP adds chunks, and makes the container an extended one.
func (m metadata) addToWebP(data []byte) []byte {
	header, image := data[12:30], data[30:]
	if string(header[:4]) != "VP8X" {
		header, image = extendedHeader(data[12:]), data[12:]
	}
	out := slices.Concat(data[:12], header)
	if m.icc != nil {
		out[20] |= webpICC
		out = appendRIFF(out, "ICCP", m.icc)
	}
	out = append(out, image...)
	if m.exif != nil {
		out[20] |= webpEXIF
		out = appendRIFF(out, "EXIF", m.exif)
	}
	if m.xmp != nil {
		out[20] |= webpXMP
		out = appendRIFF(out, "XMP ", m.xmp)
	}
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-8))
	return out
}

// extendedHeader returns the VP8X chunk for a simple container with this image chunk.
func extendedHeader(image []byte) []byte {
	le := binary.LittleEndian
	chunk := append(le.AppendUint32([]byte("VP8X"), 10), make([]byte, 10)...)
	if string(image[:4]) == "VP8L" {
		bits := le.Uint32(image[9:])
		le.PutUint16(chunk[12:], uint16(bits&0x3fff)) // minus one, in 24 bits
		le.PutUint16(chunk[15:], uint16(bits>>14&0x3fff))
		if bits>>28&1 != 0 {
			chunk[8] = webpAlpha
		}
		return chunk
	}
	le.PutUint16(chunk[12:], le.Uint16(image[14:])&0x3fff-1)
	le.PutUint16(chunk[15:], le.Uint16(image[16:])&0x3fff-1)
	return chunk
}

func appendRIFF(webp []byte, kind string, content []byte) []byte {
	webp = binary.LittleEndian.AppendUint32(append(webp, kind...), uint32(len(content)))
	return append(append(webp, content...), make([]byte, len(content)&1)...)
}

// metadataTypes are the types of the tags of metadata.
var metadataTypes = map[uint16]uint16{
	tagArtist: tiffASCII, tagCopyright: tiffASCII, tagXMP: tiffByte, tagIPTC: tiffUndefined, tagProfile: tiffUndefined,
}

// addToTIFF appends a directory with more entries, and their values. Of EXIF it has the texts of
// Artist and Copyright.
func (m metadata) addToTIFF(data []byte) []byte {
	entries, form, err := firstDirectory(data)
	if err != nil {
		return data
	}
	first := form.first(data) + form.counter
	var all [][]byte
	for i := range entries {
		all = append(all, data[first+form.entry*int64(i):][:form.entry])
	}
	out := append(bytes.Clone(data), make([]byte, len(data)&1)...)
	values := m.rights().exif
	values[tagXMP], values[tagIPTC], values[tagProfile] = m.xmp, m.iptc, m.icc
	for tag, value := range values {
		if len(value) <= 4 { // none is that short
			continue
		}
		entry := make([]byte, form.entry)
		form.PutUint16(entry, tag)
		form.PutUint16(entry[2:], metadataTypes[tag])
		form.PutUint32(entry[4:], uint32(len(value)))
		form.PutUint32(entry[8:], uint32(len(out)))
		out = append(append(out, value...), make([]byte, len(value)&1)...)
		all = append(all, entry)
	}
	slices.SortFunc(all, func(a, b []byte) int { return int(form.Uint16(a)) - int(form.Uint16(b)) })
	form.PutUint32(out[4:], uint32(len(out)))
	counter := make([]byte, 2)
	form.PutUint16(counter, uint16(len(all)))
	out = append(out, counter...)
	return append(append(out, bytes.Join(all, nil)...), 0, 0, 0, 0)
}
