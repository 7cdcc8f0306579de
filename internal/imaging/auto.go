package imaging

import (
	"context"
	"errors"
	"maps"
	"slices"
)

// Auto stands for the format in Encoding.Accept that makes the smallest output. As the format of
// an output, it makes the functions of this package encode once in each of them.
const Auto Format = "auto"

// Formats is a set of formats. The zero value is empty.
type Formats uint32

// formatOrder has all formats, sorted by name.
var formatOrder = slices.Sorted(maps.Keys(codecs))

// With returns the set with one more format.
func (s Formats) With(f Format) Formats { return s | 1<<slices.Index(formatOrder, f) }

// all returns the formats of the set, sorted by name.
func (s Formats) all() (all []Format) {
	for i, f := range formatOrder {
		if s>>i&1 != 0 {
			all = append(all, f)
		}
	}
	return all
}

// Candidates returns the formats for an output in Auto: those of Accept that this build writes, and
// that have the options which decide what an output keeps or how large it is: lossless (as PNG and TIFF
// are), max_bytes, keep and profile.
func (e Encoding) Candidates() (all []Format) {
	needed := Encoding{MaxBytes: e.MaxBytes, Lossless: e.Lossless, Keep: e.Keep, Profile: e.Profile}
	for _, f := range e.Accept.all() {
		needed.Lossless = e.Lossless && !f.lossless()
		if f.Writable() && f.Support().Write && needed.Check(f) == nil {
			all = append(all, f)
		}
	}
	return all
}

// movingCandidates returns the candidates that can have several frames.
func (e Encoding) movingCandidates() []Format {
	return slices.DeleteFunc(e.Candidates(), func(f Format) bool { return !f.HasFrames() })
}

// lossless reports whether the format keeps all values of pixels without an option.
func (f Format) lossless() bool { return f == PNG || f == TIFF }

// in returns the options for a candidate, without those that its encoder does not have.
func (e Encoding) in(f Format) Encoding {
	has := codecs[f].options
	e.Accept = 0
	if !has.quality {
		e.Quality = 0
	}
	if !has.compression {
		e.Compression, e.Palette = 0, false
	}
	if !has.chroma {
		e.Chroma = ChromaByQuality
	}
	if !has.speed {
		e.Speed = 0
	}
	e.Lossless = e.Lossless && has.lossless
	e.Progressive = e.Progressive && has.progressive
	return e
}

// smallest encodes the pixels by encode in each candidate, and returns the smallest output. Pixels
// that are not opaque are not encoded in a format without transparency.
func (p *Pixels) smallest(ctx context.Context, encode func(*Pixels, Format) (Encoded, error)) (best Encoded, err error) {
	opaque := p.Channels != 4 || p.opaque()
	if opaque && p.Channels == 4 {
		if p, err = p.flatten(ctx, white); err != nil {
			return Encoded{}, err
		}
	}
	candidates := slices.DeleteFunc(p.encoding.Candidates(), func(f Format) bool {
		return !opaque && !f.alpha() && p.encoding.keepsAlpha(PNG)
	})
	if len(candidates) == 0 {
		return best, invalid("the image has transparency, which none of the accepted formats has")
	}
	return smallest(candidates, func(f Format) (Encoded, error) {
		one := *p
		one.encoding = p.encoding.in(f)
		return encode(&one, f)
	})
}

// smallest encodes in each of the formats and returns the smallest output.
func smallest(candidates []Format, encode func(Format) (Encoded, error)) (best Encoded, _ error) {
	encodes := 0
	var tooLarge *TooLargeError
	for _, f := range candidates {
		out, err := encode(f)
		encodes += out.Encodes
		switch {
		case errors.As(err, &tooLarge):
		case err != nil:
			return Encoded{}, err
		case best.Data == nil || len(out.Data) < len(best.Data):
			best = out
		}
	}
	if best.Encodes = encodes; best.Data == nil {
		return best, tooLarge
	}
	return best, nil
}

// opaque reports whether no pixel of an image with 4 channels is transparent.
func (p *Pixels) opaque() bool {
	for i := 3; i < len(p.Pix); i += 4 {
		if p.Pix[i] != 255 {
			return false
		}
	}
	return true
}

// autoFootprint is footprint for an output in Auto: the largest of the candidates, while the
// smallest output so far is held.
func (h Header) autoFootprint(pixels, changing int64) (most int64) {
	candidates, frames := h.Encoding.Candidates(), int64(1)
	if h.Moves(Auto) {
		candidates, frames = h.Encoding.movingCandidates(), int64(h.selected.Count)
	}
	for _, f := range candidates {
		in := h
		in.Encoding = h.Encoding.in(f)
		most = max(most, in.footprint(pixels, f, changing))
	}
	garbage := int64(0)
	if h.Alpha {
		garbage = pixels * int64(h.channels())
	}
	return most + maxEncodedPixel*pixels*frames + garbage
}
