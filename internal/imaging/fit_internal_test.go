package imaging

import (
	"errors"
	"math"
	"testing"
)

// encoderOf returns an encoder whose files have the given sizes, and counts its calls.
func encoderOf(size func(quality int) int, calls *int) func(Encoding) (Encoded, error) {
	return func(e Encoding) (Encoded, error) {
		*calls++
		return Encoded{Data: make([]byte, size(e.Quality))}, nil
	}
}

// sizesByQuality are sizes of files as functions of the quality, from measured to odd ones.
var sizesByQuality = map[string]func(quality int) int{
	"curve":  func(q int) int { return 300 + int(9000*math.Exp(curve(q))) },
	"steep":  func(q int) int { return 300 + int(9000*math.Exp(2*curve(q))) },
	"linear": func(q int) int { return 1000 + 100*q },
	"steps":  func(q int) int { return 1000 + 1000*(q/20) },
	"flat":   func(int) int { return 5000 },
	"falls":  func(q int) int { return 6000 - 10*q },
}

// TestFit_staysWithinLimits tries every limit: the result fits, no quality is encoded after
// maxEncodes, and an error is one of the lowest quality.
func TestFit_staysWithinLimits(t *testing.T) {
	for name, size := range sizesByQuality {
		for limit := 100; limit < 40000; limit += 77 {
			calls := 0
			out, err := Encoding{Quality: 95, MaxBytes: limit}.fit(encoderOf(size, &calls))
			var large *TooLargeError
			switch {
			case calls > maxEncodes:
				t.Fatalf("%s, %d bytes: %d encodes", name, limit, calls)
			case errors.As(err, &large):
				if size(minQuality) <= limit || large.Bytes != size(minQuality) || large.MaxBytes != limit {
					t.Fatalf("%s, %d bytes: %v, but quality 1 takes %d", name, limit, err, size(minQuality))
				}
			case err != nil || len(out.Data) > limit || len(out.Data) != size(out.Quality):
				t.Fatalf("%s, %d bytes: %d bytes at quality %d, %v", name, limit, len(out.Data), out.Quality, err)
			}
		}
	}
}

// TestFit_isNearBest compares with the highest quality that fits, for sizes as of photographs.
func TestFit_isNearBest(t *testing.T) {
	for _, name := range []string{"curve", "steep"} {
		size, worst := sizesByQuality[name], 0
		for limit := size(1); limit < size(95); limit += 77 {
			calls, best := 0, 95
			for ; size(best) > limit; best-- {
			}
			out, err := Encoding{Quality: 95, MaxBytes: limit}.fit(encoderOf(size, &calls))
			if err != nil {
				t.Fatal(err)
			}
			worst = max(worst, best-out.Quality)
		}
		if worst > 3 {
			t.Errorf("%s: up to %d below the best quality", name, worst)
		}
	}
}
