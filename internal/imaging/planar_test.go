package imaging_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"testing"

	"imageflow.dev/internal/imaging"
)

// waves are smooth planes that differ in each component.
func waves(c, x, y int, width, height float64) uint8 {
	u, v := (float64(x)+0.5)/width, (float64(y)+0.5)/height
	return uint8(128 + 60*math.Sin(2*math.Pi*float64(2+c)*u)*math.Cos(2*math.Pi*float64(4-c)*v))
}

// checkPlanar resizes a JPEG on its planes, and by way of pixels, and compares the JPEGs.
func checkPlanar(t *testing.T, data []byte, width, height int, q imaging.Quality, minimum float64) {
	t.Helper()
	m := open(t, data)
	planar, err := m.Resize(t.Context(), width, height, q, imaging.JPEG)
	if err != nil {
		t.Fatal(err)
	}
	if planar.Path != imaging.Planar || planar.Width != width || planar.Height != height {
		t.Fatalf("got %d×%d by the %s path, want %d×%d by the planar one",
			planar.Width, planar.Height, planar.Path, width, height)
	}
	general, err := resized(t, data, width, height, q).Encode(t.Context(), imaging.JPEG)
	if err != nil {
		t.Fatal(err)
	}
	if db := likeness(pixels(t, planar.Data), pixels(t, general.Data)); db < minimum {
		t.Errorf("quality %d: %.1f dB, want at least %v", q, db, minimum)
	} else {
		t.Logf("quality %d: %.1f dB", q, db)
	}
}

// orientations returns all EXIF orientations; in short mode an upright and a turned one.
func orientations() []int {
	if testing.Short() {
		return []int{1, 6}
	}
	return []int{1, 2, 3, 4, 5, 6, 7, 8}
}

// TestPlanar_isLikeGeneral covers the sampling factors, odd sides and all orientations.
func TestPlanar_isLikeGeneral(t *testing.T) {
	for name, factors := range map[string][3][2]int{
		"4:4:4": {{1, 1}, {1, 1}, {1, 1}}, "4:2:0": {{2, 2}, {1, 1}, {1, 1}}, "4:2:2": {{2, 1}, {1, 1}, {1, 1}},
		"4:4:0": {{1, 2}, {1, 1}, {1, 1}}, "4:1:1": {{4, 1}, {1, 1}, {1, 1}},
		"all different": {{2, 2}, {2, 1}, {1, 2}}, "thirds": {{3, 1}, {1, 1}, {1, 1}},
	} {
		data := sampledJPEG(t, 401, 303, factors, waves)
		for _, orientation := range orientations() {
			t.Run(fmt.Sprint(name, " ", orientation), func(t *testing.T) {
				turned := withOrientation(data, orientation)
				for q := imaging.Fast; q <= imaging.Best; q++ {
					checkPlanar(t, turned, 101, 97, q, 40)
					checkPlanar(t, turned, 517, 411, q, 40)
				}
			})
		}
	}
}

// TestPlanar_ofOtherScans covers progressive scans, restart markers and grey.
func TestPlanar_ofOtherScans(t *testing.T) {
	for name, data := range map[string][]byte{
		"progressive": progressive(t, 320, 240), "restart markers": restarting(40), "grey": asJPEG(t, grey(333, 77, 99)),
	} {
		t.Run(name, func(t *testing.T) { checkPlanar(t, data, 80, 60, imaging.Good, 30) })
	}
}

// TestPlanar_onlyIfColoursNeedNoConversion looks at the path of images that have no planes of
// YCbCr, or that become another format.
func TestPlanar_onlyIfColoursNeedNoConversion(t *testing.T) {
	jpeg := asJPEG(t, flat(64, 48, color.NRGBA{200, 100, 50, 255}))
	for name, test := range map[string]struct {
		data []byte
		to   imaging.Format
		want imaging.Path
	}{
		"JPEG to JPEG": {jpeg, imaging.JPEG, imaging.Planar},
		"JPEG to PNG":  {jpeg, imaging.PNG, imaging.General},
		"PNG to JPEG":  {asPNG(t, flat(64, 48, color.NRGBA{200, 100, 50, 255})), imaging.JPEG, imaging.General},
		"RGB": {
			withSegment(jpeg, 0xee, []byte("Adobe\x00\x64\x00\x00\x00\x00\x00")), imaging.JPEG, imaging.General,
		},
		"a profile":                {withProfile(jpeg, profile("RGB ", 1.2)), imaging.JPEG, imaging.General},
		"a profile that misfits":   {withProfile(jpeg, profile("GRAY", 1.2)), imaging.JPEG, imaging.Planar},
		"grey with a grey profile": {withProfile(asJPEG(t, grey(64, 48, 99)), profile("GRAY", 1.2)), imaging.JPEG, imaging.General},
	} {
		out, err := open(t, test.data).Resize(t.Context(), 31, 23, imaging.Good, test.to)
		if err != nil || out.Path != test.want {
			t.Errorf("%s: the %q path, %v; want %q", name, out.Path, err, test.want)
		}
	}
}

// TestPlanar_isGreyForGrey decodes the output with the standard library.
func TestPlanar_isGreyForGrey(t *testing.T) {
	out, err := open(t, asJPEG(t, grey(64, 48, 99))).Resize(t.Context(), 31, 23, imaging.Good, imaging.JPEG)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := image.Decode(bytes.NewReader(out.Data))
	if err != nil {
		t.Fatal(err)
	}
	if m, ok := got.(*image.Gray); !ok || m.GrayAt(15, 11).Y != 99 {
		t.Errorf("got a %T, want grey of 99", got)
	}
}

func TestPlanar_reportsDamageAndStops(t *testing.T) {
	jpeg := asJPEG(t, detailed(320, 240))
	cut := end(jpeg[:scanOf(jpeg)+2000])
	if _, err := open(t, cut).Resize(t.Context(), 80, 60, imaging.Good, imaging.JPEG); !isInputError(err) {
		t.Errorf("half a scan: %v", err)
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := open(t, jpeg).Resize(stopped, 80, 60, imaging.Good, imaging.JPEG); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
}
