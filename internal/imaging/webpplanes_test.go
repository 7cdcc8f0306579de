package imaging_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image/color"
	"testing"

	"imageflow.dev/internal/imaging"
)

// turnedWebP returns a WebP in an extended container with an EXIF orientation.
func turnedWebP(t testing.TB, width, height, orientation int) []byte {
	t.Helper()
	turn := exif(binary.LittleEndian, orientation, "")
	smooth := sampledJPEG(t, width, height, [3][2]int{{1, 1}, {1, 1}, {1, 1}}, waves)
	webp, err := open(t, smooth).Convert(t.Context(), imaging.WebP)
	if err != nil {
		t.Fatal(err)
	}
	more := bytes.Clone(simpleWebP(webp.Data)[12:])
	more = append(binary.LittleEndian.AppendUint32(append(more, "EXIF"...), uint32(len(turn))), turn...)
	size := []byte{8, 0, 0, 0, byte(width - 1), byte((width - 1) >> 8), 0, byte(height - 1), byte((height - 1) >> 8), 0}
	return riff("VP8X", size, more...)
}

// TestPlanarWebP_isLikeGeneral covers odd sides, one pixel, and all orientations.
func TestPlanarWebP_isLikeGeneral(t *testing.T) {
	sizes := [][4]int{{401, 303, 101, 97}, {97, 1, 31, 1}, {1, 97, 1, 31}, {1, 1, 3, 3}, {401, 303, 517, 411}}
	if testing.Short() {
		sizes = sizes[:4]
	}
	for _, size := range sizes {
		for _, orientation := range orientations() {
			data := turnedWebP(t, size[0], size[1], orientation)
			width, height := size[2], size[3]
			if orientation >= 5 {
				width, height = height, width
			}
			for q := imaging.Fast; q <= imaging.Best; q++ {
				t.Run(fmt.Sprint(size, " ", orientation, " ", q), func(t *testing.T) {
					checkPlanarWebP(t, data, width, height, q)
				})
			}
		}
	}
}

// checkPlanarWebP resizes a WebP on its planes, and by way of pixels, and compares the WebPs.
func checkPlanarWebP(t *testing.T, data []byte, width, height int, q imaging.Quality) {
	t.Helper()
	planar, err := open(t, data).Resize(t.Context(), width, height, q, imaging.WebP)
	if err != nil {
		t.Fatal(err)
	}
	if planar.Path != imaging.Planar || planar.Width != width || planar.Height != height {
		t.Fatalf("got %d×%d by the %s path", planar.Width, planar.Height, planar.Path)
	}
	general, err := resized(t, data, width, height, q).Encode(t.Context(), imaging.WebP)
	if err != nil {
		t.Fatal(err)
	}
	if db := likeness(pixels(t, planar.Data), pixels(t, general.Data)); db < 30 {
		t.Errorf("%.1f dB, want at least 30", db)
	} else {
		t.Logf("%.1f dB", db)
	}
}

// TestPlanarWebP_onlyIfLossyAndPlain looks at the path of WebPs that have no planes to use.
func TestPlanarWebP_onlyIfLossyAndPlain(t *testing.T) {
	opaque := encoded(t, detailed(64, 48), imaging.WebP)
	clear := encoded(t, flat(64, 48, color.NRGBA{200, 100, 50, 99}), imaging.WebP)
	for name, test := range map[string]struct {
		data []byte
		to   imaging.Format
		want imaging.Path
	}{
		"lossy":         {opaque, imaging.WebP, imaging.Planar},
		"simple":        {simpleWebP(opaque), imaging.WebP, imaging.Planar},
		"to JPEG":       {opaque, imaging.JPEG, imaging.General},
		"from JPEG":     {asJPEG(t, detailed(64, 48)), imaging.WebP, imaging.General},
		"alpha":         {clear, imaging.WebP, imaging.General},
		"with profile":  {webpWithProfile(opaque, profile("RGB ", 1)), imaging.WebP, imaging.General},
		"wrong profile": {webpWithProfile(opaque, profile("GRAY", 1)), imaging.WebP, imaging.Planar},
		"many frames":   {multiples(t, 3)["webp of many frames"], imaging.WebP, imaging.General},
	} {
		out, err := open(t, test.data).Resize(t.Context(), 15, 11, imaging.Good, test.to)
		if err != nil || out.Path != test.want {
			t.Errorf("%s: the %q path, %v; want %q", name, out.Path, err, test.want)
		}
	}
}

func TestPlanarWebP_reportsDamageAndStops(t *testing.T) {
	webp := simpleWebP(encoded(t, noisy(320, 240), imaging.WebP))
	for _, length := range []int{40, 500, len(webp) / 2, len(webp) - 400} {
		cut := riff("VP8 ", webp[20:length&^1])
		if _, err := open(t, cut).Resize(t.Context(), 80, 60, imaging.Good, imaging.WebP); !isInputError(err) {
			t.Errorf("%d of %d bytes: %v", length, len(webp), err)
		}
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := open(t, webp).Resize(stopped, 80, 60, imaging.Good, imaging.WebP); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
}
