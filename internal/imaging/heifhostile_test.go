package imaging_test

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"testing"

	"imageflow.dev/internal/imaging"
)

// patched replaces the first occurrence of a part of a file, which may change its length.
func patched(t testing.TB, data []byte, old, replacement string) []byte {
	t.Helper()
	if !bytes.Contains(data, []byte(old)) {
		t.Fatalf("the file has no %q", old)
	}
	return bytes.Replace(data, []byte(old), []byte(replacement), 1)
}

// packed returns bits, given as a text of 0 and 1 with spaces, as n bytes.
func packed(n int, bits ...string) string {
	out := make([]byte, n)
	for i, bit := range strings.ReplaceAll(strings.Join(bits, ""), " ", "") {
		out[i/8] |= byte(bit-'0') << (7 - i%8)
	}
	return string(out)
}

// isobox returns a box, and isofull one with a version and flags of zero.
func isobox(kind string, inside ...string) string {
	text := strings.Join(inside, "")
	return string(binary.BigEndian.AppendUint32(nil, uint32(8+len(text)))) + kind + text
}

func isofull(kind string, inside ...string) string {
	return isobox(kind, slices.Insert(inside, 0, "\x00\x00\x00\x00")...)
}

func u16(numbers ...int) string {
	var b []byte
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	}
	return string(b)
}

// gridHEIF returns an AVIF of tiles of 64×96 pixels that all have the same data, with bytes of
// padding. references are the items of the tiles; item 1 is the grid.
func gridHEIF(t testing.TB, columns, rows int, references []int, padding int) []byte {
	tile := heifFile(t, "grid.avif")
	tile = tile[bytes.Index(tile, []byte("\x12\x00\x0a")):][:251:251]
	tile = append(append(tile, 0x7a, byte(padding|0x80), byte(padding>>7|0x80), byte(padding>>14)), make([]byte, padding)...)
	grid := "\x00\x00" + string([]byte{byte(rows - 1), byte(columns - 1)}) + u16(64*columns, 96*rows)
	infos, locations := isobox("infe", "\x02\x00\x00\x00", u16(1, 0), "grid\x00"), u16(1, 1, 0, 1, 0, 0, 0, len(grid))
	associations := u16(1) + "\x01\x01"
	for _, id := range references {
		if id > 1 {
			infos += isobox("infe", "\x02\x00\x00\x00", u16(id, 0), "av01\x00")
			locations += u16(id, 0, 0, 1, 0, 44, 0, len(tile))
			associations += u16(id) + "\x02\x02\x03"
		}
	}
	n := strings.Count(infos, "infe")
	ispe := func(w, h int) string { return isofull("ispe", u16(0, w, 0, h)) }
	return []byte(isobox("ftyp", "avif\x00\x00\x00\x00mif1avif") + isobox("mdat", strings.Repeat("\x00", 12), string(tile)) +
		isofull("meta", isofull("hdlr", "\x00\x00\x00\x00pict", strings.Repeat("\x00", 13)), isofull("pitm", u16(1)),
			isobox("idat", grid), isobox("iloc", "\x01\x00\x00\x00\x44\x00", u16(n), locations), isofull("iinf", u16(n), infos),
			isofull("iref", isobox("dimg", u16(append([]int{1, len(references)}, references...)...))),
			isobox("iprp", isobox("ipco", ispe(64*columns, 96*rows), ispe(64, 96), isobox("av1C", "\x81\x00\x0c\x00")),
				isofull("ipma", u16(0, n), associations))))
}

// heifBombs are files whose boxes contradict the image data or each other, or describe far more
// than the file has.
func heifBombs(t testing.TB) map[string][]byte {
	avif, heic := heifFile(t, "420.avif"), heifFile(t, "8.heic")
	size := "ispe" + u16(0, 0, 0, 64, 0, 48)
	data := bytes.Index(avif, []byte("\x12\x00\x0a"))
	sequence, huge := avif[data+4:][:9], packed(9, "000 1 1 00000 1111 1111", strings.Repeat("1", 32))
	bombs := map[string][]byte{
		"avif of 60k":                patched(t, avif, size, "ispe"+u16(0, 0, 0, 60_000, 0, 60_000)),
		"avif of a larger frame":     patched(t, avif, size, "ispe"+u16(0, 0, 0, 32, 0, 24)),
		"avif of a huge frame":       patched(t, avif, string(sequence), huge),
		"avif of data that is cut":   avif[:len(avif)-9],
		"avif without an image":      patched(t, avif, "pitm"+u16(0, 0, 1), "pitm"+u16(0, 0, 9)),
		"avif without boxes":         avif[:32],
		"avif of too many boxes":     patched(t, avif, "hdlr", "free"+strings.Repeat("\x00\x00\x00\x08free", 1<<17)),
		"avif with another property": patched(t, patched(t, avif, "pixi", "what"), "\x04\x01\x02\x83", "\x04\x01\x82\x83"),
		"avif of a missing property": patched(t, avif, "\x04\x01\x02\x83", "\x04\x01\x02\xff"),
		"heic of 60k":                patched(t, heic, size, "ispe"+u16(0, 0, 0, 60_000, 0, 60_000)),
		"heic of frames as facts":    patched(t, heic, "\x42\x01\x01\x03", "\x02\x01\x01\x03"),
	}
	maps.Copy(bombs, gridBombs(t))
	return bombs
}

// gridBombs are grids whose tiles do not fit.
func gridBombs(t testing.TB) map[string][]byte {
	grid := heifFile(t, "grid.avif")
	many := make([]int, 60*60)
	for i := range many {
		many[i] = 2 + i
	}
	return map[string][]byte{
		"avif of itself":            patched(t, grid, u16(1, 2, 2, 3), u16(1, 2, 1, 1)),
		"avif of fewer tiles":       patched(t, grid, "dimg"+u16(1, 2), "dimg"+u16(1, 1)),
		"avif of 65k tiles":         patched(t, grid, u16(0, 1, 128, 96), u16(0, 0xffff, 128, 96)),
		"avif of tiles of one data": gridHEIF(t, 60, 60, many, 60_000),
		"avif of a grid of grids":   gridHEIF(t, 2, 1, []int{1, 2}, 0),
		"avif of a tile too many":   gridHEIF(t, 2, 1, []int{2, 3, 4}, 0),
		"avif of wider tiles":       patched(t, gridHEIF(t, 1, 1, []int{2}, 0), u16(0, 64, 0, 96), u16(0, 32, 0, 96)),
	}
}

func TestHEIF_thatContradictsItselfIsRejected(t *testing.T) {
	for name, data := range heifBombs(t) {
		if _, err := imaging.Open(data, roomy); !isInputError(err) {
			t.Errorf("%s: got %v, want an InputError", name, err)
		}
	}
}

// TestHEIF_ofEqualTiles shares the data of a few tiles.
func TestHEIF_ofEqualTiles(t *testing.T) {
	p := pixels(t, gridHEIF(t, 3, 2, []int{2, 3, 4, 5, 6, 7}, 0))
	if p.Width != 192 || p.Height != 192 {
		t.Fatalf("got %d×%d, want 192×192", p.Width, p.Height)
	}
	inside := func(x, y int) []byte { return p.Pix[3*((96*y+9)*p.Width+64*x+9):][:3*50] }
	if !bytes.Equal(inside(0, 0), inside(2, 1)) {
		t.Error("the tiles differ")
	}
}

// TestHEIF_damagedBoxes: a file with a changed byte in its boxes becomes an image with its metadata, or
// is rejected.
func TestHEIF_damagedBoxes(t *testing.T) {
	data := heifFile(t, "metadata.avif")
	for at := 24; at < bytes.Index(data, []byte("mdat")); at += 2 {
		for _, change := range []byte{0xff, 1} {
			damaged := bytes.Clone(data)
			damaged[at] ^= change
			m, err := imaging.Open(damaged, roomy)
			if err != nil {
				if !isInputError(err) {
					t.Errorf("byte %d: got %v, want an InputError", at, err)
				}
				continue
			}
			m.Encoding.Keep = imaging.KeepAll
			if out, err := m.Resize(t.Context(), 5, 3, imaging.Fast, imaging.TIFF); err == nil {
				open(t, out.Data)
			} else if !isInputError(err) {
				t.Errorf("byte %d: got %v, want an InputError", at, err)
			}
		}
	}
}
