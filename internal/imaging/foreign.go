package imaging

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"slices"
	"strings"
)

const supportedFormats = "supported formats are jpeg, png, webp, avif, jxl, heic, tiff, gif and bmp"

// signatures identify unsupported formats by the bytes at an offset. The first match wins.
var signatures = []struct {
	at    int
	magic string
	name  string
}{
	{0, "\x00\x00\x00\x0cjP  \r\n\x87\n", "a JPEG 2000 image"}, {0, "\xff\x4f\xff\x51", "a JPEG 2000 image"},
	{0, "II\xbc\x01", "a JPEG XR image"},
	{0, "II\x1a\x00\x00\x00HEAPCCDR", "a raw image of a Canon camera"},
	{0, "FUJIFILMCCD-RAW", "a raw image of a Fujifilm camera"},
	{0, "IIRO", "a raw image of an Olympus camera"}, {0, "IIRS", "a raw image of an Olympus camera"},
	{0, "MMOR", "a raw image of an Olympus camera"}, {0, "IIU\x00", "a raw image of a Panasonic camera"},
	{0, "\x00MRM", "a raw image of a Minolta camera"}, {0, "FOVb", "a raw image of a Sigma camera"},
	{0, "\x00\x00\x01\x00", "an ICO icon"}, {0, "icns", "an ICNS icon"},
	{0, "8BPS", "a Photoshop document"}, {0, "gimp xcf", "a GIMP image"},
	{0, "qoif", "a QOI image"}, {0, "\x76\x2f\x31\x01", "an OpenEXR image"},
	{0, "#?RADIANCE", "a Radiance HDR image"}, {0, "#?RGBE", "a Radiance HDR image"},
	{0, "DDS ", "a DDS texture"}, {0, "FLIF", "a FLIF image"}, {0, "BPG\xfb", "a BPG image"},
	{0, "farbfeld", "a farbfeld image"},
	{0, "SIMPLE  =", "a FITS image"}, {128, "DICM", "a DICOM image"}, {0, "AT&TFORM", "a DjVu document"},
	{0, "\x01\xda\x01", "an SGI image"}, {0, "\x59\xa6\x6a\x95", "a Sun raster image"}, {40, " EMF", "an EMF drawing"},
	{0, "\xd7\xcd\xc6\x9a", "a WMF drawing"}, {0, "%PDF-", "a PDF"}, {0, "%!PS", "a PostScript document"},
	{0, "\xc5\xd0\xd3\xc6", "a PostScript document"}, {0, "PK\x03\x04", "a ZIP archive"},
	{0, "7z\xbc\xaf\x27\x1c", "a 7z archive"}, {0, "Rar!\x1a\x07", "a RAR archive"},
	{0, "\x1f\x8b", "a gzip file"}, {257, "ustar", "a tar archive"}, {8, "AVI ", "an AVI video"},
	{0, "\x1a\x45\xdf\xa3", "a Matroska or WebM video"},
	{0, "\x8aMNG\r\n\x1a\n", "an MNG animation"}, {0, "\x8bJNG\r\n\x1a\n", "a JNG image"},
	{0, "\x97JB2\r\n\x1a\n", "a JBIG2 image"},
	{0, "\x0a\x05\x01", "a PCX image"}, {0, "/* XPM */", "an XPM image"},
	{8, "WAVE", "a WAV sound"}, {0, "fLaC", "a FLAC sound"},
	{0, "FLV\x01", "a Flash video"}, {0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document"},
	{0, "\x7fELF", "a program"}, {0, "MZ\x90\x00", "a program"}, {0, "\xfd7zXZ\x00", "an XZ file"}, {0, "BZh9", "a bzip2 file"},
	{0, "\x28\xb5\x2f\xfd", "a Zstandard file"},
}

// brands identify files made of boxes (ISO/IEC 14496-12) by a brand.
var brands = []struct{ brand, name string }{
	{"crx ", "a raw image of a Canon camera"},
	{"qt  ", "a QuickTime video"},
}

// foreignError returns the error for a file of an unsupported format, with its name.
func foreignError(data []byte) error {
	name := foreignName(data)
	if name == "" {
		name = "not an image of a known format"
	}
	return unsupported(name)
}

func unsupported(name string) error { return invalid("%s; %s", name, supportedFormats) }

// foreignName returns the name of an unsupported format, or "" if it is unknown.
func foreignName(data []byte) string {
	for _, s := range signatures {
		if len(data) > s.at && bytes.HasPrefix(data[s.at:], []byte(s.magic)) {
			return s.name
		}
	}
	kind, _, _ := strings.Cut(http.DetectContentType(data), ";")
	switch {
	case len(data) >= 12 && string(data[4:8]) == "ftyp":
		return boxName(data)
	case len(data) > 2 && data[0] == 'P' && data[1] >= '1' && data[1] <= '7' && strings.IndexByte(" \t\r\n", data[2]) >= 0:
		return "a PBM, PGM or PPM image"
	case isSVG(data):
		return "an SVG image"
	case isTGA(data):
		return "a TGA image"
	case bytes.HasPrefix(data, []byte("\x00\x00\x02\x00")): // many TGAs start like this too
		return "a CUR cursor"
	case kind == "application/octet-stream", kind == "image/bmp": // the latter from two letters
		return ""
	case kind == "text/html":
		return "HTML"
	case strings.HasPrefix(kind, "text/"):
		return "text"
	}
	return "a file of type " + kind
}

// boxName returns the name of a format made of boxes, from its brands.
func boxName(data []byte) string {
	for _, b := range brands {
		if slices.Contains(brandsOf(data), b.brand) {
			return b.name
		}
	}
	return "an MP4 video"
}

// isSVG reports whether a text is an SVG. Declarations and comments may precede the root
// element.
func isSVG(data []byte) bool {
	begin := bytes.TrimLeft(bytes.TrimPrefix(data[:min(len(data), 4096)], []byte("\xef\xbb\xbf")), " \t\r\n")
	return bytes.HasPrefix(begin, []byte("<")) && bytes.Contains(begin, []byte("<svg"))
}

// isTGA reports whether a file has the footer or a plausible header of a TGA. The format has
// no signature.
func isTGA(data []byte) bool {
	if len(data) < 18 {
		return false
	}
	if bytes.HasSuffix(data, []byte("TRUEVISION-XFILE.\x00")) {
		return true
	}
	palette, kind, depth, flags := data[1], data[2], data[16], data[17]
	colours := kind&7 == 1 && palette == 1 || (kind&7 == 2 || kind&7 == 3) && palette == 0
	width, height := binary.LittleEndian.Uint16(data[12:]), binary.LittleEndian.Uint16(data[14:])
	return colours && kind&^0xb == 0 && bytes.IndexByte([]byte{8, 15, 16, 24, 32}, depth) >= 0 &&
		width > 0 && height > 0 && flags&0xc0 == 0
}
