package imaging

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
)

// density is the number of pixels per unit of length, across and down, for printing. The
// zero value means unknown.
type density struct {
	across, down float64
	// unit is the unit of length in metres; 0 means that only the ratio is known.
	unit float64
}

// Units of length, in metres.
const (
	inch       = 0.0254
	centimetre = 0.01
	metre      = 1
)

// TIFF and EXIF tags.
const (
	tagAcross = 282
	tagDown   = 283
	tagUnit   = 296
)

// known reports whether the density, or at least its ratio, is known.
func (d density) known() bool {
	return d.across > 0 && d.down > 0 && (d.unit > 0 || d.across != d.down)
}

// in converts the density to another unit, in whole pixels from 1 to limit. It returns zeros
// if that is not possible.
func (d density) in(unit, limit float64) (across, down uint32) {
	if !d.known() {
		return 0, 0
	}
	factor := 1.0
	if d.unit > 0 {
		factor = unit / d.unit
	}
	a, b := math.Round(d.across*factor), math.Round(d.down*factor)
	if a < 1 || b < 1 || a > limit || b > limit {
		return 0, 0
	}
	return uint32(a), uint32(b)
}

// or returns the density, or other if the density is unknown.
func (d density) or(other density) density {
	if d.known() {
		return d
	}
	return other
}

// turned returns the density after the image was turned upright.
func (d density) turned(orientation int) density {
	if orientation >= 5 {
		d.across, d.down = d.down, d.across
	}
	return d
}

// densityOfJFIF parses the payload of a JFIF segment.
func densityOfJFIF(segment []byte) density {
	if len(segment) < 12 {
		return density{}
	}
	unit := map[byte]float64{1: inch, 2: centimetre}[segment[7]]
	be := binary.BigEndian
	return density{float64(be.Uint16(segment[8:])), float64(be.Uint16(segment[10:])), unit}
}

// densityOfPNG parses the content of a pHYs chunk.
func densityOfPNG(chunk []byte) density {
	if len(chunk) < 9 {
		return density{}
	}
	be, unit := binary.BigEndian, 0.0
	if chunk[8] == 1 {
		unit = metre
	}
	return density{float64(be.Uint32(chunk)), float64(be.Uint32(chunk[4:])), unit}
}

// densityOfEXIF parses the first directory of a TIFF structure.
func densityOfEXIF(tiff []byte) density {
	entries, form, err := firstDirectory(tiff)
	if err != nil {
		return density{}
	}
	fields := tiffFields{}
	for _, e := range entries {
		switch e.tag {
		case tagAcross, tagDown:
			fields[e.tag] = e.ratios(tiff, form)
		case tagUnit:
			fields[e.tag], _ = e.numbers(tiff, form)
		}
	}
	return fields.density()
}

func (f tiffFields) density() density {
	unit := map[int]float64{2: inch, 3: centimetre}[f.number(tagUnit, 2)]
	return density{f.fractions(tagAcross, 0)[0], f.fractions(tagDown, 0)[0], unit}
}

// stamped returns a copy of an image encoded by libvips, with the density. WebP and AVIF have
// no density; from WebP it removes the EXIF that libvips always adds.
func (d density) stamped(f Format, data []byte) []byte {
	switch f {
	case JPEG:
		return slices.Concat(data[:2], d.jfif(), data[2:])
	case PNG:
		data = d.stampPNG(data)
	case TIFF:
		d.stampTIFF(data)
	case WebP:
		return withoutEXIF(data)
	}
	return bytes.Clone(data)
}

// withoutEXIF returns a WebP without EXIF, in a simple container if that is enough.
func withoutEXIF(data []byte) []byte {
	const hasEXIF = 8
	le := binary.LittleEndian
	out := append(make([]byte, 0, len(data)), data[:12]...)
	for at := 12; at+8 <= len(data); {
		end := min(at+8+int(le.Uint32(data[at+4:])+1)&^1, len(data))
		chunk := data[at:end]
		switch string(chunk[:4]) {
		case "VP8X":
			if chunk[8] &^= hasEXIF; chunk[8] != 0 {
				out = append(out, chunk...)
			}
		case "EXIF":
		default:
			out = append(out, chunk...)
		}
		at = end
	}
	le.PutUint32(out[4:], uint32(len(out)-8))
	return out
}

// jfif returns the JFIF segment.
func (d density) jfif() []byte {
	unit, length := byte(1), inch
	if d.unit == centimetre {
		unit, length = 2, centimetre
	}
	across, down := d.in(length, math.MaxUint16)
	if across == 0 {
		d, across, down = density{}, 1, 1
	}
	if d.unit == 0 {
		unit = 0
	}
	be := binary.BigEndian
	segment := append([]byte("\xff\xe0\x00\x10JFIF\x00\x01\x01"), unit)
	segment = be.AppendUint16(be.AppendUint16(segment, uint16(across)), uint16(down))
	return append(segment, 0, 0) // no thumbnail
}

// stampPNG sets the pHYs chunk, which libvips always writes, or removes it.
func (d density) stampPNG(data []byte) []byte {
	at := bytes.Index(data, []byte("pHYs")) - 4
	if at < 0 || at+21 > len(data) {
		return data
	}
	content := d.pHYs()
	if content == nil {
		return append(data[:at], data[at+21:]...)
	}
	appendChunk(data[:at], "pHYs", content)
	return data
}

// pHYs returns the content of the chunk, or nil if the density is unknown.
func (d density) pHYs() []byte {
	across, down := d.in(metre, math.MaxInt32)
	if across == 0 {
		return nil
	}
	be := binary.BigEndian
	content := be.AppendUint32(be.AppendUint32(nil, across), down)
	if d.unit > 0 {
		return append(content, 1)
	}
	return append(content, 0)
}

// stampTIFF sets the resolution fields, which libvips always writes.
func (d density) stampTIFF(data []byte) {
	unit, length, denominator := uint16(2), inch, uint32(1000)
	if d.unit == centimetre {
		unit, length = 3, centimetre
	}
	across, down := d.in(length*float64(denominator), math.MaxUint32)
	if across == 0 {
		d, across, down = density{}, 1, 1
	}
	if d.unit == 0 {
		unit, denominator = 1, 1
	}
	entries, form, _ := firstDirectory(data) // no entries on error
	for _, e := range entries {
		switch e.tag {
		case tagUnit:
			form.PutUint16(e.value, unit)
		case tagAcross, tagDown:
			at := form.Uint32(e.value)
			form.PutUint32(data[at:], map[uint16]uint32{tagAcross: across, tagDown: down}[e.tag])
			form.PutUint32(data[at+4:], denominator)
		}
	}
}
