package filter_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// plateSize is the size of a plate of six digits in pixels.
var plateSize = image.Pt(160, 44)

// plate returns a plate with a number, at a slightly different place each time.
func plate(t testing.TB, number int, random *rand.Rand) *image.NRGBA {
	t.Helper()
	parsed, err := opentype.Parse(gomonobold.TTF)
	if err != nil {
		t.Fatal(err)
	}
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: 40, DPI: 72})
	if err != nil {
		t.Fatal(err)
	}
	m := image.NewNRGBA(image.Rectangle{Max: plateSize})
	draw.Draw(m, m.Rect, image.NewUniform(color.Gray{230}), image.Point{}, draw.Src)
	d := font.Drawer{Dst: m, Src: image.Black, Face: face, Dot: fixed.P(6+random.IntN(4), 36+random.IntN(4))}
	d.DrawString(fmt.Sprintf("%06d", number))
	return m
}

// An attacker who knows the font, the place and the filter, and has thousands of hidden plates with
// their numbers, reads few digits of others: hardly more than the 10 % of a guess.
func TestRedaction_cannotBeUndone(t *testing.T) {
	if testing.Short() {
		t.Skip("hides thousands of plates")
	}
	const known, unknown = 1000, 200
	for i := range 4 {
		kind := []imageflowv1.FilterType{pixelate, blur}[i%2]
		hide, format := filtered, "PNG"
		if i >= 2 {
			hide, format = filteredJPEG, "JPEG" // in planes
		}
		random := rand.New(rand.NewPCG(7, 8))
		r := redacting(kind, &imageflowv1.Redaction{Boxes: []*imageflowv1.BoundingBox{boxOf(image.Rectangle{Max: plateSize})}})
		var numbers []int
		var hidden [][]byte
		for range known + unknown {
			number := random.IntN(1_000_000)
			numbers = append(numbers, number)
			hidden = append(hidden, greys(hide(t, plate(t, number, random), r)))
		}
		right := 0
		for i := known; i < known+unknown; i++ {
			right += countEqualDigits(guess(hidden[:known], numbers, hidden[i]), numbers[i])
		}
		share := float64(right) / (6 * unknown)
		t.Logf("%s, %s: %.0f %% of the digits are read", kind, format, 100*share)
		if share > 0.2 {
			t.Errorf("%s, %s: %.0f %% of the digits can be read", kind, format, 100*share)
		}
	}
}

// filteredJPEG applies a filter to an image. Input and output are JPEGs.
func filteredJPEG(t testing.TB, m image.Image, r *request) *image.NRGBA {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	out, _ := apply(t, open(t, b.Bytes()), r)
	if out.Path != imaging.Planar {
		t.Fatalf("the image was changed as %s, want planes", out.Path)
	}
	got, err := jpeg.Decode(bytes.NewReader(out.Data))
	if err != nil {
		t.Fatal(err)
	}
	all := image.NewNRGBA(got.Bounds())
	draw.Draw(all, all.Rect, got, image.Point{}, draw.Src)
	return all
}

// greys returns samples of an image.
func greys(m *image.NRGBA) []byte {
	var all []byte
	for y := 0; y < m.Rect.Dy(); y += 4 {
		for x := 0; x < m.Rect.Dx(); x += 4 {
			all = append(all, m.NRGBAAt(x, y).G)
		}
	}
	return all
}

// guess returns the most frequent digits among the most similar known images.
func guess(known [][]byte, numbers []int, hidden []byte) (number int) {
	type neighbour struct{ distance, number int }
	all := make([]neighbour, len(known))
	for i, k := range known {
		for j, v := range k {
			d := int(v) - int(hidden[j])
			all[i].distance += d * d
		}
		all[i].number = numbers[i]
	}
	slices.SortFunc(all, func(a, b neighbour) int { return a.distance - b.distance })
	for place := 1; place < 1_000_000; place *= 10 {
		var votes [10]int
		for _, n := range all[:15] {
			votes[n.number/place%10]++
		}
		number += place * slices.Index(votes[:], slices.Max(votes[:]))
	}
	return number
}

func countEqualDigits(a, b int) (n int) {
	for range 6 {
		if a%10 == b%10 {
			n++
		}
		a, b = a/10, b/10
	}
	return n
}
