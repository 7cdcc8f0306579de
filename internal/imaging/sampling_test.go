package imaging_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/jpeg"
	"math"
	"slices"
	"testing"

	"imageflow.dev/internal/imaging"
)

// sampledJPEG writes the planes of Y, Cb and Cr with these sampling factors, each in its own
// scan. It combines the scans of one grey JPEG per plane, which all have the same tables.
func sampledJPEG(t testing.TB, width, height int, factors [3][2]int,
	planes func(c, x, y int, width, height float64) uint8) []byte {
	t.Helper()
	full := [2]int{}
	for _, f := range factors {
		full = [2]int{max(full[0], f[0]), max(full[1], f[1])}
	}
	be := binary.BigEndian
	frame := append(be.AppendUint16(be.AppendUint16([]byte{8}, uint16(height)), uint16(width)), 3)
	var head, scans []byte
	for c, f := range factors {
		w, h := (width*f[0]+full[0]-1)/full[0], (height*f[1]+full[1]-1)/full[1]
		m := image.NewGray(image.Rect(0, 0, w, h))
		for i := range m.Pix {
			m.Pix[i] = planes(c, i%w, i/w, float64(w), float64(h))
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
			t.Fatal(err)
		}
		data := b.Bytes()
		sof, sos := bytes.Index(data, []byte{0xff, 0xc0}), bytes.Index(data, []byte{0xff, 0xda})
		tables := data[sof+2+int(be.Uint16(data[sof+2:])) : sos]
		head = slices.Concat(data[:sof], tables)
		frame = append(frame, byte(c+1), byte(f[0]<<4|f[1]), 0)
		scan := bytes.Clone(data[sos : len(data)-2])
		scan[5] = byte(c + 1)
		scans = append(scans, scan...)
	}
	sof := append(be.AppendUint16([]byte{0xff, 0xc0}, uint16(len(frame)+2)), frame...)
	return slices.Concat(head, sof, scans, []byte{0xff, 0xd9})
}

// TestResize_keepsSubsampledColours covers all common sampling factors and unusual ones.
func TestResize_keepsSubsampledColours(t *testing.T) {
	stripes := func(c, x, y int, width, height float64) uint8 {
		u, v := (float64(x)+0.5)/width, (float64(y)+0.5)/height
		across, down := math.Sin(2*math.Pi*30*u), math.Sin(2*math.Pi*24*v)
		return uint8(128 + 50*[3]float64{across * down, across, down}[c])
	}
	widths := []int{400, 200, 130}
	if testing.Short() {
		widths = widths[1:2]
	}
	for name, factors := range map[string][3][2]int{
		"4:4:4": {{1, 1}, {1, 1}, {1, 1}}, "4:2:0": {{2, 2}, {1, 1}, {1, 1}}, "4:2:2": {{2, 1}, {1, 1}, {1, 1}},
		"4:4:0": {{1, 2}, {1, 1}, {1, 1}}, "4:1:1": {{4, 1}, {1, 1}, {1, 1}}, "1 of 4 rows": {{1, 4}, {1, 1}, {1, 1}},
		"4:1:0": {{4, 2}, {1, 1}, {1, 1}}, "all different": {{2, 2}, {2, 1}, {1, 2}},
		"subsampled luma": {{1, 1}, {2, 1}, {2, 1}},
	} {
		m := open(t, sampledJPEG(t, 800, 640, factors, stripes))
		for _, width := range widths {
			best := resizedTo(t, m, width, imaging.Best)
			for q, minimum := range map[imaging.Quality]float64{imaging.Fast: 30, imaging.Good: 40} {
				if db := likeness(resizedTo(t, m, width, q), best); db < minimum {
					t.Errorf("%s, %d wide, quality %d: %.1f dB, want at least %v", name, width, q, db, minimum)
				}
			}
		}
	}
}

func resizedTo(t *testing.T, m *imaging.Image, width int, q imaging.Quality) *imaging.Pixels {
	t.Helper()
	e, err := m.Resize(t.Context(), width, width*4/5, q, imaging.PNG)
	if err != nil {
		t.Fatal(err)
	}
	return pixels(t, e.Data)
}

// likeness returns the PSNR in dB.
func likeness(a, b *imaging.Pixels) float64 {
	var sum float64
	for i, v := range a.Pix {
		d := float64(v) - float64(b.Pix[i])
		sum += d * d
	}
	return 10 * math.Log10(255*255*float64(len(a.Pix))/sum)
}
