package imaging_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"imageflow.dev/internal/imaging"
)

// threePages returns a TIFF with a page of 3 × 2, one of 4 × 3 and one of 5 × 4 pixels. All samples of a
// page are its number.
func threePages() []byte {
	le := binary.LittleEndian
	data, next := []byte("II*\x00\x00\x00\x00\x00"), 4
	for n := range uint32(3) {
		width, height := 3+n, 2+n
		entries := rgbTIFF(width, height)
		size := int(3 * width * height)
		entries[5].values, entries[8].values = []uint32{uint32(len(data))}, []uint32{uint32(size)}
		data = append(data, bytes.Repeat([]byte{byte(n)}, size+size%2)...)
		le.PutUint32(data[next:], uint32(len(data)))
		next = len(data) + 2 + 12*len(entries)
		data = append(data, directoryAt(le, len(data), entries...)...)
	}
	return data
}

func TestTIFF_pages(t *testing.T) {
	for n := range 3 {
		whole := open(t, threePages())
		m, err := whole.Select(imaging.Selection{First: n, Count: 1}, false)
		if err != nil || whole.Frames != 3 {
			t.Fatalf("page %d of %d: %v", n, whole.Frames, err)
		}
		for _, f := range []imaging.Format{imaging.PNG, imaging.TIFF} {
			out, err := m.Convert(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			got, p := open(t, out.Data), pixels(t, out.Data)
			if got.Frames != 1 || p.Width != 3+n || p.Height != 2+n || !bytes.Equal(p.Pix, bytes.Repeat([]byte{byte(n)}, len(p.Pix))) {
				t.Errorf("page %d as %s: %d pages of %d×%d with %v", n, f, got.Frames, p.Width, p.Height, p.Pix)
			}
		}
	}
}

// Without a selection, a TIFF that stays one keeps its pages.
func TestTIFF_keepsPages(t *testing.T) {
	out, err := open(t, threePages()).Convert(t.Context(), imaging.TIFF)
	if err != nil || open(t, out.Data).Frames != 3 {
		t.Errorf("%d bytes, %v", len(out.Data), err)
	}
}

func TestTIFF_pagesAreChecked(t *testing.T) {
	cycle := secondPage(smallTIFF(binary.LittleEndian))
	for name, c := range map[string]struct {
		data  []byte
		s     imaging.Selection
		field string
	}{
		"beyond the end":  {threePages(), imaging.Selection{First: 3}, "page"},
		"far beyond":      {threePages(), imaging.Selection{First: 1 << 30}, "page"},
		"several":         {threePages(), imaging.Selection{Count: 2}, "pages"},
		"in a cycle":      {cycle, imaging.Selection{First: 1}, "page"},
		"the only one":    {smallTIFF(binary.LittleEndian), imaging.Selection{First: 1}, "page"},
		"first in cycle":  {cycle, imaging.Selection{Count: 1}, ""},
		"first of three":  {threePages(), imaging.Selection{Count: 1}, ""},
		"second of three": {threePages(), imaging.Selection{First: 1}, ""},
	} {
		_, err := open(t, c.data).Select(c.s, true)
		var e *imaging.SelectionError
		if errors.As(err, &e) != (c.field != "") || c.field != "" && e.Field != c.field || c.field == "" && err != nil {
			t.Errorf("%s: got %v, want an error of %q", name, err, c.field)
		}
	}
	small, err := imaging.Open(threePages(), imaging.Limits{MaxSide: 4, MaxPixels: 12})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := small.Select(imaging.Selection{First: 2}, false); !isInputError(err) {
		t.Errorf("a page beyond the limits: %v", err)
	}
	data := threePages()
	second := bytes.Index(data, []byte{4, 0, 0, 0, 1, 1}) - 10 // its width, and the tag of its height
	binary.LittleEndian.PutUint32(data[second+2+12*2+8:], 2)   // the offset of BitsPerSample
	if _, err := open(t, data).Select(imaging.Selection{First: 1}, false); !isInputError(err) {
		t.Errorf("a page that overlaps the header: %v", err)
	}
}
