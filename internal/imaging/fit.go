package imaging

import (
	"fmt"
	"math"
)

// TooLargeError reports that an output exceeds Encoding.MaxBytes even at the lowest quality.
type TooLargeError struct {
	// Bytes is the size at the lowest quality.
	Bytes, MaxBytes int
}

// Error states both sizes.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the image takes %d bytes at quality %d, more than %d", e.Bytes, minQuality, e.MaxBytes)
}

const (
	minQuality = 1
	// maxEncodes bounds how often fit encodes.
	maxEncodes = 4
	// closeEnough is the share of MaxBytes from which fit looks for no higher quality.
	closeEnough = 0.97
	// careful is the share of the size that fit aims at before the last try, so that its result
	// probably fits.
	careful  = 0.9
	maxSlope = 1.3
)

// fit calls encode with complete options and returns its result. If that exceeds MaxBytes, fit
// looks for the highest quality whose result does not, by at most maxEncodes calls.
func (e Encoding) fit(encode func(Encoding) (Encoded, error)) (Encoded, error) {
	out, err := encode(e)
	if out.Encodes = 1; err != nil || e.MaxBytes == 0 {
		return out, err
	}
	out.Quality = e.Quality
	s := search{target: math.Log(closeEnough * float64(e.MaxBytes))}
	for s.add(out, e.MaxBytes); s.encodes < maxEncodes && !s.done(e.MaxBytes); s.add(out, e.MaxBytes) {
		e.Quality = s.next()
		if out, err = encode(e); err != nil {
			return Encoded{}, err
		}
		out.Quality = e.Quality
	}
	if s.fits.Quality == 0 {
		return Encoded{Encodes: s.encodes}, &TooLargeError{len(out.Data), e.MaxBytes}
	}
	s.fits.Encodes = s.encodes
	return s.fits, nil
}

// search is the state of fit.
type search struct {
	target  float64 // logarithm of a size
	encodes int
	// fits is the best output that fits; its quality is 0 if there is none.
	fits Encoded
	// exceeds and before are the two lowest qualities that do not fit, and the logarithms of
	// their sizes. Their quality is 0 if there are none.
	exceeds, before sized
}

// sized is the logarithm of the size of an output at a quality.
type sized struct {
	quality int
	size    float64
}

func (s *search) add(out Encoded, limit int) {
	s.encodes++
	if len(out.Data) <= limit {
		s.fits = out
		return
	}
	s.before, s.exceeds = s.exceeds, sized{out.Quality, math.Log(float64(len(out.Data)))}
}

// done reports whether no better quality is left, or the output almost has the maximum size.
func (s *search) done(limit int) bool {
	return s.exceeds.quality <= s.fits.Quality+1 || float64(len(s.fits.Data)) >= closeEnough*float64(limit)
}

// next returns a quality between those that are known to fit and not to fit. The last one is
// the lowest if none is known to fit.
func (s *search) next() int {
	if s.fits.Quality == 0 && s.encodes == maxEncodes-1 {
		return minQuality
	}
	slope, other, target := 1.0, s.before, s.target
	if s.fits.Quality == 0 && s.encodes == maxEncodes-2 {
		target += math.Log(careful)
	}
	if s.fits.Quality > 0 {
		other = sized{s.fits.Quality, math.Log(float64(len(s.fits.Data)))}
	}
	at := curve(s.exceeds.quality)
	if other.quality > 0 && other.size != s.exceeds.size {
		slope = (curve(other.quality) - at) / (other.size - s.exceeds.size)
	}
	if s.fits.Quality == 0 { // two sizes that are close to each other are a bad guide far away
		slope = min(max(slope, 1/maxSlope), maxSlope)
	}
	guess := qualityAt(at + slope*(target-s.exceeds.size))
	return min(max(guess, s.fits.Quality+1), s.exceeds.quality-1)
}

// curve is the logarithm of the size of a file at a quality, without a constant. It is fitted
// to photographs in JPEG, WebP and AVIF, whose own curves have other slopes.
func curve(quality int) float64 {
	return math.Log(float64(quality+5)/float64(105-quality)) / 2
}

// qualityAt returns the quality at a value of curve, rounded down.
func qualityAt(value float64) int {
	ratio := math.Exp(2 * value)
	return int((105*ratio - 5) / (1 + ratio))
}
