package imaging_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"slices"
	"testing"

	"imageflow.dev/internal/imaging"
)

// movie returns an animation with frames of all disposals, of which some cover a part of the canvas
// and have transparent pixels. plays is 0 for one without end.
func movie(plays int) *gif.GIF {
	palette := color.Palette{color.NRGBA{}, color.NRGBA{255, 0, 0, 255}, color.NRGBA{0, 255, 0, 255}, color.NRGBA{9, 8, 255, 255}}
	all := &gif.GIF{Config: image.Config{Width: 40, Height: 30}, LoopCount: plays - 1}
	switch plays {
	case 0:
		all.LoopCount = 0
	case 1:
		all.LoopCount = -1
	}
	for i, f := range []struct {
		at       image.Rectangle
		disposal byte
	}{
		{image.Rect(0, 0, 40, 30), gif.DisposalNone}, {image.Rect(5, 5, 25, 20), gif.DisposalBackground},
		{image.Rect(10, 0, 40, 12), gif.DisposalPrevious}, {image.Rect(0, 10, 20, 30), gif.DisposalNone},
		{image.Rect(3, 3, 6, 29), gif.DisposalBackground},
	} {
		m := image.NewPaletted(f.at, palette)
		for j := range m.Pix {
			m.Pix[j] = uint8((j/7 + i) % len(palette))
		}
		all.Image, all.Disposal = append(all.Image, m), append(all.Disposal, f.disposal)
		all.Delay = append(all.Delay, 7*i+3)
	}
	return all
}

// encodedGIF encodes an animation with Go's library.
func encodedGIF(t testing.TB, all *gif.GIF) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, all); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// shown returns the canvas of an animation while each frame is shown.
func shown(all *gif.GIF) (canvases []*image.NRGBA) {
	canvas := image.NewNRGBA(image.Rect(0, 0, all.Config.Width, all.Config.Height))
	for i, m := range all.Image {
		before := slices.Clone(canvas.Pix)
		draw.Draw(canvas, m.Rect, m, m.Rect.Min, draw.Over)
		canvases = append(canvases, &image.NRGBA{Pix: slices.Clone(canvas.Pix), Stride: canvas.Stride, Rect: canvas.Rect})
		switch all.Disposal[i] {
		case gif.DisposalBackground:
			draw.Draw(canvas, m.Rect, image.Transparent, image.Point{}, draw.Src)
		case gif.DisposalPrevious:
			copy(canvas.Pix, before)
		}
	}
	return canvases
}

// moving opens an animation with all of its frames.
func moving(t testing.TB, data []byte) *imaging.Image {
	t.Helper()
	m, err := open(t, data).Select(imaging.Selection{}, true)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func same(ctx context.Context, frame *imaging.Image) (*imaging.Pixels, error) {
	return frame.Pixels(ctx)
}

// reencoded encodes the selected frames without changing them.
func reencoded(t testing.TB, m *imaging.Image, f imaging.Format) imaging.Encoded {
	t.Helper()
	out, err := m.Animate(t.Context(), f, same)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// checkFrames compares the frames of an animation. Transparent pixels have no colour.
func checkFrames(t *testing.T, m *imaging.Image, want []*image.NRGBA) {
	t.Helper()
	n := 0
	err := m.EachFrame(t.Context(), func(i int, frame *imaging.Image) error {
		n++
		p, err := frame.Pixels(t.Context())
		if err != nil {
			return err
		}
		for at := range p.Width * p.Height {
			got, wanted := []byte{0, 0, 0, 255}, want[i].Pix[4*at:4*at+4]
			copy(got, p.Pix[at*p.Channels:][:p.Channels])
			if got[3] != wanted[3] || got[3] != 0 && !bytes.Equal(got, wanted) {
				t.Fatalf("frame %d, pixel %d: got %v, want %v", i, at, got, wanted)
			}
		}
		return nil
	})
	if err != nil || n != len(want) {
		t.Errorf("%d frames, %v, want %d", n, err, len(want))
	}
}

func TestAnimation_drawsFrames(t *testing.T) {
	all := movie(0)
	checkFrames(t, moving(t, encodedGIF(t, all)), shown(all))
}

// TestAnimate_GIF compares a GIF with Go's decoder.
func TestAnimate_GIF(t *testing.T) {
	for _, plays := range []int{0, 1, 2, 7} {
		all := movie(plays)
		out := reencoded(t, moving(t, encodedGIF(t, all)), imaging.GIF)
		again, err := gif.DecodeAll(bytes.NewReader(out.Data))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(again.Delay, all.Delay) || again.LoopCount != all.LoopCount || out.Frames != len(all.Image) {
			t.Errorf("got %v, %d times, want %v, %d", again.Delay, again.LoopCount, all.Delay, all.LoopCount)
		}
		for i, canvas := range shown(again) {
			if !bytes.Equal(opaquePixels(canvas), opaquePixels(shown(all)[i])) {
				t.Errorf("frame %d differs", i)
			}
		}
	}
}

// opaquePixels returns the pixels without the colours of transparent ones.
func opaquePixels(m *image.NRGBA) []byte {
	pix := slices.Clone(m.Pix)
	for i := 0; i < len(pix); i += 4 {
		if pix[i+3] == 0 {
			clear(pix[i : i+3])
		}
	}
	return pix
}

// TestEncode_GIF: up to 255 colours stay, and more of them, and half transparent pixels, stay close.
func TestEncode_GIF(t *testing.T) {
	few := shown(movie(0))[3]
	got := pixels(t, encoded(t, few, imaging.GIF))
	if !bytes.Equal(opaquePixels(&image.NRGBA{Pix: got.Pix}), opaquePixels(few)) {
		t.Error("few colours changed")
	}
	many := detailed(200, 150)
	got = pixels(t, encoded(t, many, imaging.GIF))
	sum := 0
	for y := 0; y < 150; y += 5 { // means, since errors are diffused
		for x := 0; x < 200; x += 5 {
			for c := range 3 {
				d := 0
				for i := range 25 {
					at := 4*((y+i/5)*200+x+i%5) + c
					d += int(got.Pix[at]) - int(many.Pix[at])
				}
				sum += max(d, -d) / 25
			}
		}
	}
	if mean := float64(sum) / (30 * 40 * 3); mean > 3 {
		t.Errorf("means of 5 × 5 pixels differ by %.1f", mean)
	}
}

// TestAnimate_WebP reads the chunks of a lossless WebP, and its frames.
func TestAnimate_WebP(t *testing.T) {
	for _, plays := range []int{0, 1, 7} {
		all := movie(plays)
		m := moving(t, encodedGIF(t, all))
		m.Encoding.Lossless = true
		out := reencoded(t, m, imaging.WebP)
		checkFrames(t, moving(t, out.Data), shown(all))
		var delays []int
		loops := -1
		for at := 12; at+8 < len(out.Data); {
			length := int(binary.LittleEndian.Uint32(out.Data[at+4:]))
			switch content := out.Data[at+8:]; string(out.Data[at : at+4]) {
			case "ANIM":
				loops = int(binary.LittleEndian.Uint16(content[4:]))
			case "ANMF":
				delays = append(delays, int(binary.LittleEndian.Uint16(content[12:]))/10)
			}
			at += 8 + length + length&1
		}
		if loops != plays || !slices.Equal(delays, all.Delay) {
			t.Errorf("got %d plays and delays %v, want %d and %v", loops, delays, plays, all.Delay)
		}
	}
}

// TestAnimate_resizesFrames compares the frames of a smaller animation with smaller frames.
func TestAnimate_resizesFrames(t *testing.T) {
	all := movie(0)
	m := moving(t, encodedGIF(t, all))
	m.Encoding.Lossless = true
	out, err := m.Animate(t.Context(), imaging.WebP, func(ctx context.Context, frame *imaging.Image) (*imaging.Pixels, error) {
		return frame.ScaledWindow(ctx, frame.Whole(), 20, 15, imaging.Good)
	})
	if err != nil {
		t.Fatal(err)
	}
	var want []*image.NRGBA
	for _, canvas := range shown(all) {
		still := open(t, asPNG(t, canvas))
		p, err := still.ScaledWindow(t.Context(), still.Whole(), 20, 15, imaging.Good)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, &image.NRGBA{Pix: p.Pix, Stride: 80, Rect: image.Rect(0, 0, 20, 15)})
	}
	checkFrames(t, moving(t, out.Data), want)
}
