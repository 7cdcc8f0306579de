package resize_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"image"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/functions"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/imaging"
)

var update = flag.Bool("update", false, "write testdata/golden.txt instead of comparing with it")

// goldenRequests returns requests with only the fields of the first version of resize.
func goldenRequests() []*request {
	var all []*request
	for _, target := range [][2]int32{{80, 60}, {60, 80}, {90, 0}, {0, 70}, {400, 300}, {500, 20}} {
		for _, keep := range []bool{false, true} {
			for _, enlarge := range []bool{false, true} {
				all = append(all, &request{
					TargetWidth: target[0], TargetHeight: target[1], MaintainAspectRatio: keep, Enlarge: enlarge,
				})
			}
		}
	}
	return all
}

// gridSide is the number of cells along a side of the grid that stands for an image's pixels.
const gridSide = 4

// grid returns the mean red, green and blue of the cells of an encoded image.
func grid(t *testing.T, e imaging.Encoded) []byte {
	t.Helper()
	p, err := open(t, e.Data).Pixels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var means []byte
	for cell := range gridSide * gridSide {
		x, y := cell%gridSide, cell/gridSide
		r := image.Rect(x*p.Width/gridSide, y*p.Height/gridSide, (x+1)*p.Width/gridSide, (y+1)*p.Height/gridSide)
		sum := [3]int{}
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x++ {
				for c := range sum {
					sum[c] += int(p.Pix[(y*p.Width+x)*p.Channels+c])
				}
			}
		}
		for _, s := range sum {
			means = append(means, byte(s/max(1, r.Dx()*r.Dy())))
		}
	}
	return means
}

// golden describes the answers to the requests, one per line; the last word is a grid.
func golden(t *testing.T) string {
	t.Helper()
	var lines strings.Builder
	sources := map[imaging.Format][]byte{
		imaging.JPEG: file(t, gradient(300, 200), imaging.JPEG), imaging.PNG: file(t, gradient(300, 200), imaging.PNG),
	}
	for _, from := range []imaging.Format{imaging.JPEG, imaging.PNG} {
		for _, to := range []imaging.Format{imaging.JPEG, imaging.PNG, imaging.WebP} {
			for _, r := range goldenRequests() {
				out, resp, err := resize.Processor.Apply(
					t.Context(), r, functions.Input{Image: open(t, sources[from]), Format: to})
				if err != nil {
					t.Fatal(err)
				}
				name := fmt.Sprintf("%s %s %dx%d %t %t", from, to,
					r.TargetWidth, r.TargetHeight, r.MaintainAspectRatio, r.Enlarge)
				t.Logf("%s %x", name, sha256.Sum256(out.Data)) // to compare two builds on one machine
				sideCar, err := protojson.Marshal(resize.Processor.SideCar(resp))
				if err != nil {
					t.Fatal(err)
				}
				sideCar = bytes.ReplaceAll(sideCar, []byte(" "), nil)
				fmt.Fprintf(&lines, "%s %s %s %x\n", name, out.Path, sideCar, grid(t, out))
			}
		}
	}
	return lines.String()
}

// TestGolden compares with answers that were recorded before resize could crop. Pixels may differ
// slightly between versions of the libraries.
func TestGolden(t *testing.T) {
	const path = "testdata/golden.txt"
	got := golden(t)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	if len(gotLines) != len(wantLines) {
		t.Fatalf("%d lines, want %d", len(gotLines), len(wantLines))
	}
	for i, line := range gotLines {
		if !sameAnswer(line, wantLines[i]) {
			t.Errorf("got  %s\nwant %s", line, wantLines[i])
		}
	}
}

// sameAnswer compares two lines of golden; numbers of a grid may differ by 2.
func sameAnswer(got, want string) bool {
	i, j := strings.LastIndexByte(got, ' ')+1, strings.LastIndexByte(want, ' ')+1
	a, errA := hex.DecodeString(got[i:])
	b, errB := hex.DecodeString(want[j:])
	if got[:i] != want[:j] || errA != nil || errB != nil || len(a) != len(b) {
		return false
	}
	for i := range a {
		if d := int(a[i]) - int(b[i]); d < -2 || d > 2 {
			return false
		}
	}
	return true
}
