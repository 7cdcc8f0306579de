package imaging_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"image"
	"slices"
	"testing"
	"time"

	"imageflow.dev/internal/imaging"
)

// badAnimations are animations that must be rejected before much work is done.
func badAnimations(t testing.TB) map[string][]byte {
	whole := [4]int{0, 0, 7000, 7000}
	good, png := encodedGIF(t, movie(0)), animatedPNG(t, 5, 5)
	webp := webpOf(t, image.Rect(0, 0, 40, 30), image.Rect(0, 0, 40, 30))
	beyond := apngFrames()
	beyond[2].left = 25
	return map[string][]byte{
		"gif, many frames of a huge canvas": gifOf(7000, 7000, slices.Repeat([][4]int{{0, 0, 1, 1}}, 500)...),
		"gif, huge frames":                  gifOf(10, 10, [4]int{0, 0, 10, 10}, whole, whole, [4]int{0, 0, 65535, 65535}),
		"gif, a huge frame without pixels":  gifOf(10, 10, [4]int{0, 0, 10, 10}, whole),
		"gif, too many frames":              gifOf(30, 20, manyFrames(1000)...),
		"gif, cut in the middle":            good[:len(good)*2/3],
		"png, cut in the middle":            png[:len(png)*2/3],
		"png, cut before a frame":           png[:bytes.LastIndex(png, []byte("fcTL"))-4],
		"png, a damaged frame":              badChecksum(png, "fdAT"),
		"png, a damaged header of a frame":  badChecksum(png, "fcTL"),
		"png, a frame beyond the canvas":    asAPNG(t, 5, beyond...),
		"webp, a frame beyond the canvas":   webpOf(t, image.Rect(0, 0, 40, 30), image.Rect(0, 0, 40, 30), image.Rect(20, 20, 60, 50)),
		"webp, cut in the middle":           webp[:len(webp)*2/3],
		"webp, many frames of a huge canvas": webpOf(t,
			image.Rect(0, 0, 7000, 7000), slices.Repeat([]image.Rectangle{image.Rect(0, 0, 40, 30)}, 100)...),
	}
}

// webpOf returns an animated WebP whose frames have these places.
func webpOf(t testing.TB, canvas image.Rectangle, frames ...image.Rectangle) []byte {
	t.Helper()
	size := func(r image.Rectangle) []byte {
		le := binary.LittleEndian
		w, h := le.AppendUint32(nil, uint32(r.Dx()-1)), le.AppendUint32(nil, uint32(r.Dy()-1))
		return append(w[:3], h[:3]...)
	}
	chunks := riff("ANIM", make([]byte, 6))[12:]
	for _, f := range frames {
		le := binary.LittleEndian
		x, y := le.AppendUint32(nil, uint32(f.Min.X/2)), le.AppendUint32(nil, uint32(f.Min.Y/2))
		frame := slices.Concat(x[:3], y[:3], size(f), []byte{10, 0, 0, 0})
		frame = append(frame, simpleWebP(encoded(t, detailed(f.Dx(), f.Dy()), imaging.WebP))[12:]...)
		chunks = append(chunks, riff("ANMF", frame)[12:]...)
	}
	return riff("VP8X", append([]byte{2, 0, 0, 0}, size(canvas)...), chunks...)
}

// TestBadAnimations: each is rejected as an invalid image, in little time.
func TestBadAnimations(t *testing.T) {
	for name, data := range badAnimations(t) {
		began := time.Now()
		err := tryAnimation(t.Context(), data, roomy)
		t.Logf("%s: %d bytes, %v, %v", name, len(data), time.Since(began), err)
		if !isInputError(err) {
			t.Errorf("%s: got %v, want an InputError", name, err)
		}
	}
}

// TestOddAnimations: these have frames without pixels or beyond the canvas, no delays, and more plays
// than any format has, and are taken.
func TestOddAnimations(t *testing.T) {
	for name, data := range map[string][]byte{
		"gif, frames beyond the canvas": gifOf(30, 20, [4]int{0, 0, 30, 20}, [4]int{20, 10, 30, 20}, [4]int{40, 40, 5, 5}),
		"gif, an empty frame":           gifOf(30, 20, [4]int{0, 0, 30, 20}, [4]int{3, 3, 0, 0}),
		"webp":                          webpOf(t, image.Rect(0, 0, 40, 30), image.Rect(0, 0, 40, 30), image.Rect(4, 4, 20, 20)),
		"png that declares more frames": animatedPNG(t, 3, 1<<31),
	} {
		if err := tryAnimation(t.Context(), data, roomy); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// tryAnimation makes a small animation in each format of an animation.
func tryAnimation(ctx context.Context, data []byte, limits imaging.Limits) error {
	m, err := imaging.Open(data, limits)
	if err != nil {
		return err
	}
	if m, err = m.Select(imaging.Selection{}, true); err != nil || !m.Moves(imaging.WebP) {
		return err
	}
	for _, f := range []imaging.Format{imaging.WebP, imaging.GIF} {
		_, err = m.Animate(ctx, f, func(ctx context.Context, frame *imaging.Image) (*imaging.Pixels, error) {
			return frame.ScaledWindow(ctx, frame.Whole(), 9, 7, imaging.Fast)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// FuzzAnimation checks that all frames of an animation are encoded again, or rejected with an
// InputError. The limits are small for speed.
func FuzzAnimation(f *testing.F) {
	for _, data := range badAnimations(f) {
		if len(data) < 1<<16 {
			f.Add(data)
		}
	}
	for _, sample := range samples(f) {
		if len(sample.data) < 1<<16 {
			f.Add(sample.data)
		}
	}
	f.Add(encodedGIF(f, movie(3)))
	f.Add(animatedPNG(f, 5, 5))
	f.Add(webpOf(f, image.Rect(0, 0, 40, 30), image.Rect(0, 0, 40, 30), image.Rect(4, 4, 20, 20)))
	limits := imaging.Limits{MaxSide: 300, MaxPixels: 40_000, MaxFrames: 20, MaxAnimationPixels: 200_000}
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := tryAnimation(t.Context(), data, limits); err != nil && !isInputError(err) {
			t.Errorf("got %v, want an InputError", err)
		}
	})
}
