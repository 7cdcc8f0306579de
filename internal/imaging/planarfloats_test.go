package imaging

import (
	"fmt"
	"math"
	"testing"
)

// TestPlanarFloats_areTheSameOnEveryCPU compares the numbers of this CPU with those of arm64.
func TestPlanarFloats_areTheSameOnEveryCPU(t *testing.T) { checkSameOnARM(t, "testdata/floats.c") }

// TestPlanarFloats_areLikePixels compares the numbers made of planes with those made of pixels:
// smaller, at the size of the image, where the colours of 4:2:0 are enlarged, and larger. The
// second image has many colours that clip.
func TestPlanarFloats_areLikePixels(t *testing.T) {
	for name, limit := range map[string]struct{ rms, share float64 }{
		"sample.jpg": {0.5, 0.0005}, "sample_filter.jpg": {1.4, 0.0125},
	} {
		m := openSample(t, name)
		orientations := []int{1, 2, 3, 4, 5, 6, 7, 8}
		if testing.Short() {
			orientations = []int{1, 7}
		}
		for _, orientation := range orientations {
			m.Orientation = orientation
			w, h := m.Size()
			for _, size := range [][2]int{{w / 3, h / 3}, {w * 2 / 3, h * 3 / 4}, {w, h}, {w + 101, h + 57}} {
				for _, q := range []Quality{Fast, Triangle, Bilinear, BilinearAsymmetric} {
					t.Run(fmt.Sprint(name, " ", orientation, " ", size, " ", q), func(t *testing.T) {
						checkPlanarFloats(t, m, size[0], size[1], q, limit.rms, limit.share)
					})
				}
			}
		}
	}
}

func checkPlanarFloats(t *testing.T, m *Image, width, height int, q Quality, maxRMS, maxShare float64) {
	t.Helper()
	if !m.isPlanar(m.wholeView(width, height), q, Chroma444) {
		t.Fatal("not by planes")
	}
	n := width * height
	all := make([]float32, 3*n)
	to := Floats{Red: all[:n], Green: all[n : 2*n], Blue: all[2*n:], Stride: width, White: 255}
	if err := m.ScaledTo(t.Context(), width, height, q, to); err != nil {
		t.Fatal(err)
	}
	want, err := m.scaled(t.Context(), width, height, q)
	if err != nil {
		t.Fatal(err)
	}
	var sum, squares float64
	far := 0
	for i, v := range want.Pix {
		off := float64(all[i%3*n+i/3]) - float64(v)
		sum, squares = sum+off, squares+off*off
		if math.Abs(off) > 3 {
			far++
		}
	}
	count := float64(len(want.Pix))
	mean, rms, share := sum/count, math.Sqrt(squares/count), float64(far)/count
	if math.Abs(mean) > 0.1 || rms > maxRMS || share > maxShare {
		t.Errorf("off by %.2f in the mean, %.2f rms, %.4f are off by more than 3", mean, rms, share)
	}
}
