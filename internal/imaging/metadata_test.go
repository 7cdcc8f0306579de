package imaging_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"imageflow.dev/internal/imaging"
)

var writable = []imaging.Format{imaging.JPEG, imaging.PNG, imaging.WebP, imaging.TIFF, imaging.AVIF, imaging.JXL}

// TestMetadata_isRemoved checks EXIF, XMP and comments, which can hold private data.
func TestMetadata_isRemoved(t *testing.T) {
	text := make([]uint32, 0, 8)
	for _, c := range "secret!\x00" {
		text = append(text, uint32(c))
	}
	description := asASCII(asTIFF(binary.LittleEndian, entry{270, long, text}), "secret!\x00")
	data := withSegment(asJPEG(t, detailed(64, 48)), 0xe1, append([]byte("Exif\x00\x00"), description...))
	data = withSegment(data, 0xe1, []byte("http://ns.adobe.com/xap/1.0/\x00<x:xmpmeta>secret!</x:xmpmeta>"))
	data = withSegment(data, 0xfe, []byte("secret!"))
	for _, f := range writable {
		for name, e := range everyWay(t, open(t, data), f) {
			if bytes.Contains(e.Data, []byte("secret!")) {
				t.Errorf("%s to %s keeps the metadata", name, f)
			}
			if f == imaging.AVIF && bytes.Contains(e.Data, []byte("Exif")) {
				t.Errorf("%s: the AVIF has an item of EXIF", name)
			}
		}
	}
}

// asASCII turns the only entry of a TIFF, with longs after the directory, into text.
func asASCII(tiff []byte, text string) []byte {
	le := binary.LittleEndian
	le.PutUint16(tiff[12:], 2)
	le.PutUint32(tiff[14:], uint32(len(text)))
	return append(tiff[:le.Uint32(tiff[18:])], text...)
}

// everyWay encodes an image with all operations that return encoded images. Those that
// shrink halve its size.
func everyWay(t *testing.T, m *imaging.Image, f imaging.Format) map[string]imaging.Encoded {
	t.Helper()
	w, h := m.Size()
	ways := map[string]func() (imaging.Encoded, error){
		"fast":    func() (imaging.Encoded, error) { return m.Resize(t.Context(), w/2, h/2, imaging.Fast, f) },
		"good":    func() (imaging.Encoded, error) { return m.Resize(t.Context(), w/2, h/2, imaging.Good, f) },
		"best":    func() (imaging.Encoded, error) { return m.Resize(t.Context(), w/2, h/2, imaging.Best, f) },
		"enlarge": func() (imaging.Encoded, error) { return m.Resize(t.Context(), w*2, h*2, imaging.Good, f) },
		"pixels": func() (imaging.Encoded, error) {
			p, err := m.Pixels(t.Context())
			if err != nil {
				return imaging.Encoded{}, err
			}
			return p.Encode(t.Context(), f)
		},
	}
	if f != m.Format {
		ways["convert"] = func() (imaging.Encoded, error) { return m.Convert(t.Context(), f) }
	}
	out := map[string]imaging.Encoded{}
	for name, way := range ways {
		e, err := way()
		if err != nil {
			t.Errorf("%s to %s: %v", name, f, err)
			continue
		}
		out[name] = e
	}
	return out
}
