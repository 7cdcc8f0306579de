package imaging_test

import (
	"bytes"
	"image/color"
	"testing"

	"imageflow.dev/internal/imaging"
)

// TestProfile_isKept: every format keeps the values of the pixels and the profile, and the colours
// are the same as without the option.
func TestProfile_isKept(t *testing.T) {
	icc := profile("RGB ", 1.4)
	jpeg := withProfile(asJPEG(t, detailed(48, 32)), icc)
	for _, to := range keepers {
		m := open(t, jpeg)
		m.Encoding = imaging.Encoding{Profile: imaging.KeepProfile}
		out, err := m.Resize(t.Context(), 24, 16, imaging.Good, to)
		if err != nil {
			t.Fatal(err)
		}
		if got := property(t, out.Data, "icc-profile-data"); got == "" {
			t.Errorf("%s: no profile", to)
		}
		plain, err := open(t, jpeg).Resize(t.Context(), 24, 16, imaging.Good, to)
		if err != nil {
			t.Fatal(err)
		}
		if off := meanDistance(pixels(t, out.Data), pixels(t, plain.Data)); off > 6 { // loss grows in dark colours
			t.Errorf("%s: the colours are %.1f away from those in sRGB", to, off)
		}
	}
}

// meanDistance returns the mean distance of the samples of two images of one size.
func meanDistance(a, b *imaging.Pixels) float64 {
	sum := 0
	for i, v := range a.Pix {
		sum += max(int(v)-int(b.Pix[i]), int(b.Pix[i])-int(v))
	}
	return float64(sum) / float64(len(a.Pix))
}

// TestProfile_roundTrip keeps a profile through every pair of formats.
func TestProfile_roundTrip(t *testing.T) {
	icc := profile("RGB ", 1.4)
	jpeg := withProfile(asJPEG(t, detailed(48, 32)), icc)
	keep := func(data []byte, to imaging.Format) []byte {
		m := open(t, data)
		m.Encoding = imaging.Encoding{Profile: imaging.KeepProfile}
		out, err := m.Convert(t.Context(), to)
		if err != nil {
			t.Fatal(err)
		}
		return out.Data
	}
	for _, via := range keepers {
		for _, again := range keepers {
			if got := keep(keep(keep(jpeg, via), again), imaging.JPEG); !bytes.Contains(got, icc) {
				t.Errorf("by %s and %s: the profile is lost", via, again)
			}
		}
	}
}

// TestProfile_isConverted: outputs of images whose profile does not describe RGB, or is broken,
// have no profile.
func TestProfile_isConverted(t *testing.T) {
	grey, broken := profile("GRAY", 1.4), profile("RGB ", 1.4)
	for name, data := range map[string][]byte{
		"grey": withProfile(encoded(t, detailed(48, 32), imaging.JPEG), grey),
		"cut":  withProfile(asJPEG(t, detailed(48, 32)), broken[:len(broken)-9]),
		"none": asJPEG(t, detailed(48, 32)),
	} {
		m := open(t, data)
		m.Encoding = imaging.Encoding{Profile: imaging.KeepProfile}
		out, err := m.Convert(t.Context(), imaging.PNG)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(out.Data, []byte("iCCP")) {
			t.Errorf("%s: the output has a profile", name)
		}
	}
}

// TestProfile_displayP3 converts the red of sRGB to its values in Display P3 (SMPTE EG 432-1 with
// the curve of sRGB) and back, and keeps values that are in Display P3.
func TestProfile_displayP3(t *testing.T) {
	const alpha = 77
	for _, to := range keepers {
		data := asPNG(t, flat(16, 16, color.NRGBA{255, 0, 0, 255}))
		if to != imaging.JPEG {
			data = asPNG(t, flat(16, 16, color.NRGBA{255, 0, 0, alpha}))
		}
		for range 2 {
			m := open(t, data)
			m.Encoding = imaging.Encoding{Profile: imaging.DisplayP3, Quality: map[imaging.Format]int{imaging.JPEG: 100, imaging.AVIF: 100}[to]}
			m.Encoding.Lossless = to == imaging.WebP
			out, err := m.Resize(t.Context(), 8, 8, imaging.Good, to)
			if err != nil {
				t.Fatal(err)
			}
			again := open(t, out.Data)
			again.Encoding.Profile = imaging.KeepProfile
			p, err := again.Pixels(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			checkColour(t, to, p.Pix, []byte{234, 51, 35, alpha}[:p.Channels])
			p = pixels(t, out.Data)
			checkColour(t, to, p.Pix, []byte{255, 0, 0, alpha}[:p.Channels])
			data = out.Data
		}
	}
}

func checkColour(t *testing.T, f imaging.Format, got, want []byte) {
	t.Helper()
	for i, v := range want {
		if d := int(got[i]) - int(v); d < -3 || d > 3 {
			t.Errorf("%s: %v, want %v", f, got[:len(want)], want)
			return
		}
	}
}
