package imaging_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image/color"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"imageflow.dev/internal/imaging"
)

// suspect is a file of the hostile corpus. It is accepted or rejected; truncated files (cut)
// may be either.
type suspect struct {
	data          []byte
	accepted, cut bool
}

// corpus returns files that an attacker or a bad network might send. Each sample is truncated
// at cuts places.
func corpus(t testing.TB, cuts int) map[string]suspect {
	all := map[string]suspect{
		"svg before png":  {append([]byte(foreign["svg"]), asPNG(t, detailed(30, 20))...), false, false},
		"pdf before jpeg": {append([]byte(foreign["pdf"]), asJPEG(t, detailed(30, 20))...), false, false},
	}
	add := func(files map[string][]byte, accepted bool) {
		for name, data := range files {
			all[name] = suspect{data, accepted, false}
		}
	}
	add(bombs(t), false)
	add(heifBombs(t), false)
	add(jxlBombs(t), false)
	add(badBMPs(), false)
	add(rawImages(), false)
	add(badBigTIFFs(), false)
	add(multiples(t, 5_000), false)
	add(badChecksums(asPNG(t, noisy(30, 20))), false)
	add(polyglots(t), true)
	add(thinImages(t), true)
	add(map[string][]byte{"tiff of many pages": manyPages(5_000)}, true)
	for name, text := range foreign {
		all[name] = suspect{[]byte(text), false, false}
	}
	for name, sample := range samples(t) {
		whole := bytes.TrimRight(sample.data, "\x00")
		for i := range cuts {
			n := len(whole) * i / cuts
			all[fmt.Sprintf("%s cut to %d", name, n)] = suspect{whole[:n], false, true}
		}
	}
	return all
}

// thinImages returns images one pixel wide or high with the maximum side.
func thinImages(t testing.TB) map[string][]byte {
	all := map[string][]byte{}
	teal := color.NRGBA{40, 120, 140, 255}
	for _, format := range []imaging.Format{imaging.JPEG, imaging.PNG, imaging.WebP, imaging.TIFF} {
		all[fmt.Sprintf("16383×1 %s", format)] = encoded(t, flat(16383, 1, teal), format)
		all[fmt.Sprintf("1×16383 %s", format)] = encoded(t, flat(1, 16383, teal), format)
		all[fmt.Sprintf("1×1 %s", format)] = encoded(t, flat(1, 1, teal), format)
	}
	return all
}

// badChecksums breaks the checksum of each chunk of a PNG, one at a time.
func badChecksums(png []byte) map[string][]byte {
	all := map[string][]byte{}
	for at := 8; at < len(png); {
		kind, end := string(png[at+4:at+8]), at+12+int(binary.BigEndian.Uint32(png[at:]))
		if kind == "IEND" { // it is repaired
			break
		}
		bad := bytes.Clone(png)
		bad[end-1]++
		all["png with a bad checksum of "+kind] = bad
		at = end
	}
	return all
}

// multiples are small images with n frames, entries or scans.
func multiples(t testing.TB, n int) map[string][]byte {
	le := binary.LittleEndian
	webp := simpleWebP(encoded(t, detailed(30, 20), imaging.WebP))[12:]
	frame := append([]byte{0, 0, 0, 0, 0, 0, 29, 0, 0, 19, 0, 0, 10, 0, 0, 0}, webp...)
	frame = append(le.AppendUint32([]byte("ANMF"), uint32(len(frame))), frame...)
	return map[string][]byte{
		"webp of many frames": riff("VP8X", []byte{2, 0, 0, 0, 29, 0, 0, 19, 0, 0},
			append([]byte("ANIM\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00"), bytes.Repeat(frame, n)...)...),
		"tiff of overlapping entries": overlapping(min(n, 3000)),
		"jpeg of many scans":          manyScans(7000, n),
	}
}

// manyPages returns a TIFF of n pages with 4×4 pixels.
func manyPages(n int) []byte {
	le := binary.LittleEndian
	tiff := withPixels(le, rgbTIFF(4, 4), bytes.Repeat([]byte{90}, 48))
	const size = 2 + 12*9 + 4
	page, link := bytes.Clone(tiff[8:8+size]), 8+size-4
	for range n - 1 {
		le.PutUint32(tiff[link:], uint32(len(tiff)))
		link = len(tiff) + size - 4
		tiff = append(tiff, page...)
	}
	return tiff
}

// overlapping returns a TIFF with n unknown entries. The value of each is the same megabyte,
// which holds the pixels.
func overlapping(n int) []byte {
	le := binary.LittleEndian
	const size = 1 << 20
	entries := rgbTIFF(4, 4)
	tiff := withPixels(le, append(entries, make([]entry, n)...), make([]byte, size))
	for i := range n {
		e := tiff[8+2+12*(len(entries)+i):]
		le.PutUint16(e, uint16(50_000+i))
		le.PutUint16(e[2:], 7) // bytes
		le.PutUint32(e[4:], size)
		le.PutUint32(e[8:], 8)
	}
	return tiff
}

// manyScans returns a grey progressive JPEG with n scans. In a few bytes, each scan encodes
// that all blocks are empty.
func manyScans(side uint16, n int) []byte {
	be := binary.BigEndian
	b := append([]byte{0xff, 0xd8, 0xff, 0xdb, 0, 67, 0}, bytes.Repeat([]byte{1}, 64)...)
	b = be.AppendUint16(be.AppendUint16(append(b, 0xff, 0xc2, 0, 11, 8), side), side)
	b = append(b, 1, 1, 0x11, 0)
	// The only code, bit 0, is an end-of-band run of 2^14 blocks plus the value of the
	// next 14 bits.
	b = append(b, 0xff, 0xc4, 0, 20, 0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xe0)
	scan := append([]byte{0xff, 0xda, 0, 8, 1, 1, 0, 1, 63, 0}, bytes.Repeat([]byte{0x2a, 0xaa}, 60)...)
	return append(append(b, bytes.Repeat(scan, n)...), 0xff, 0xd9)
}

// TestHostileCorpus checks that each file is accepted, or rejected with an InputError by its
// header, and that it is fast and leaves nothing in memory or in the temporary folder.
func TestHostileCorpus(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	files := corpus(t, 40)
	slowest, took := "", time.Duration(0)
	var resident [4]int
	for round := range resident {
		for name, file := range files {
			began := time.Now()
			m, err := imaging.Open(file.data, roomy)
			if err == nil && (file.accepted || file.cut) {
				_, err = m.Resize(t.Context(), 16, 16, imaging.Good, imaging.JPEG)
			}
			if d := time.Since(began); d > took {
				slowest, took = name, d
			}
			if err != nil && !isInputError(err) || (err == nil) != file.accepted && !file.cut {
				t.Errorf("%s, %d bytes: %v", name, len(file.data), err)
			}
		}
		debug.FreeOSMemory()
		resident[round] = statusOf(t, "VmRSS")
	}
	t.Logf("%d files; the slowest, %s, took %v; resident after each round %v KiB", len(files), slowest, took, resident)
	if took > 3*time.Second { // 0.1 s without the race detector and other load
		t.Errorf("%s took %v", slowest, took)
	}
	if grown := resident[len(resident)-1] - resident[1]; grown > 16<<10 {
		t.Errorf("resident after each round: %v KiB, which is growth by %d KiB", resident, grown)
	}
	left, err := os.ReadDir(temp)
	if err != nil || len(left) > 0 {
		t.Errorf("the temporary folder has %v, %v", left, err)
	}
}

// statusOf returns a number from /proc/self/status. Sizes are in KiB.
func statusOf(t testing.TB, name string) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "\n"+name+":")
	n, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
