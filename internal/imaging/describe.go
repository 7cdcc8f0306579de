package imaging

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"unicode"
	"unicode/utf16"
)

// The colour spaces.
const (
	spaceGrey = "grey"
	spaceRGB  = "rgb"
	spaceCMYK = "cmyk"
	spaceLab  = "lab"
)

// ColourSpace returns the colour space of the pixels: grey, rgb (also if coded as YCbCr), cmyk or
// lab; "" means unknown.
func (h Header) ColourSpace() string {
	if h.space != "" {
		return h.space
	}
	return map[int]string{1: spaceGrey, 3: spaceRGB, 4: spaceCMYK}[h.colours]
}

// Density returns the density in dots per inch, across and down as displayed, to 1/100. Zeros mean
// unknown.
func (h Header) Density() (across, down float64) {
	d := h.density.turned(h.Orientation)
	if !d.known() || d.unit == 0 {
		return 0, 0
	}
	rounded := func(perUnit float64) float64 { return math.Round(100*perUnit*inch/d.unit) / 100 }
	return rounded(d.across), rounded(d.down)
}

// readEXIF sets the density, if it is not known yet, and the orientation from EXIF data, which
// begins with the header of a TIFF.
func (h *Header) readEXIF(tiff []byte) {
	h.density, h.Orientation = h.density.or(densityOfEXIF(tiff)), exifOrientation(tiff)
}

// readProfile reads the colours and the name of an ICC profile, of which the end may be missing.
func (h *Header) readProfile(icc []byte) {
	h.profile, h.ProfileName = profileColours(icc), profileTitle(icc)
}

// maxName is the maximum length of a name in bytes; the rest is cut off.
const maxName = 200

// profileTitle returns the description of an ICC profile of any version, in English if it has
// several (ICC.1:2022, 10.15).
func profileTitle(icc []byte) string {
	content := profileDescription(icc)
	if !bytes.HasPrefix(content, []byte("mluc")) {
		return printable(profileName(icc))
	}
	const records, size = 16, 12
	be, title := binary.BigEndian, []byte(nil)
	for i := range min(int(be.Uint32(content[8:])), 100) {
		at := records + size*i
		if at+size > len(content) {
			break
		}
		record := content[at:]
		length, offset := int64(be.Uint32(record[4:])), int64(be.Uint32(record[8:]))
		english := string(record[:2]) == "en"
		if end := offset + min(length, 2*maxName); end <= int64(len(content)) && (english || title == nil) {
			title = content[offset:end]
		}
		if english {
			break
		}
	}
	var units []uint16
	for ; len(title) >= 2; title = title[2:] {
		units = append(units, be.Uint16(title))
	}
	return printable(string(utf16.Decode(units)))
}

// printable returns a text up to its first NUL as UTF-8 without surrounding spaces and control
// characters, cut off at maxName.
func printable(text string) string {
	text, _, _ = strings.Cut(text, "\x00")
	text = strings.ToValidUTF8(text[:min(len(text), maxName)], "")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, text))
}
