package imaging_test

import (
	"testing"

	"imageflow.dev/internal/imaging"
)

// FuzzParseHeader: any bytes are refused with a reason, or are a picture within
// the limits.
func FuzzParseHeader(f *testing.F) {
	for _, sample := range samples(f) {
		f.Add(sample.data)
	}
	for _, bomb := range bombs(f) {
		f.Add(bomb)
	}
	for _, text := range foreign {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := imaging.ParseHeader(data, roomy)
		switch {
		case err != nil && !isInputError(err):
			t.Errorf("got %v, which is no InputError", err)
		case err != nil:
		case h.Width < 1 || h.Height < 1 || h.Width > roomy.MaxSide || h.Height > roomy.MaxSide ||
			int64(h.Width)*int64(h.Height) > roomy.MaxPixels || h.Orientation < 1 || h.Orientation > 8:
			t.Errorf("taken in spite of the limits: %+v", h)
		}
	})
}
