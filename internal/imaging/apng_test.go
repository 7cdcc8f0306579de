package imaging_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/draw"
	"testing"

	"imageflow.dev/internal/imaging"
)

// apngFrame is a frame of an animated PNG.
type apngFrame struct {
	m               *image.NRGBA
	left, top       int
	disposal, blend byte
}

// asAPNG encodes an animation that declares a number of frames. The first one covers the canvas. A
// delay is 1/4 s.
func asAPNG(t testing.TB, declared uint32, frames ...apngFrame) []byte {
	t.Helper()
	be, sequence := binary.BigEndian, uint32(0)
	out := bytes.Clone(asPNG(t, frames[0].m)[:33])
	out = append(out, chunk("acTL", be.AppendUint32(be.AppendUint32(nil, declared), 0))...)
	for i, f := range frames {
		control := be.AppendUint32(nil, sequence)
		for _, v := range []int{f.m.Rect.Dx(), f.m.Rect.Dy(), f.left, f.top} {
			control = be.AppendUint32(control, uint32(v))
		}
		out = append(out, chunk("fcTL", append(control, 0, 1, 0, 4, f.disposal, f.blend))...)
		sequence++
		for png, at := asPNG(t, f.m), 33; at < len(png)-12; {
			length := int(be.Uint32(png[at:]))
			switch content := png[at+8 : at+8+length]; {
			case string(png[at+4:at+8]) != "IDAT":
			case i == 0:
				out = append(out, chunk("IDAT", content)...)
			default:
				out = append(out, chunk("fdAT", append(be.AppendUint32(nil, sequence), content...))...)
				sequence++
			}
			at += 12 + length
		}
	}
	return append(out, chunk("IEND", nil)...)
}

// apngFrames are frames with all disposals and both blends.
func apngFrames() []apngFrame {
	return []apngFrame{
		{noisy(30, 20), 0, 0, 0, 0}, {noisy(10, 12), 3, 4, 1, 1}, {noisy(12, 9), 15, 2, 2, 0},
		{noisy(30, 20), 0, 0, 0, 1}, {noisy(5, 5), 25, 15, 0, 0},
	}
}

// animatedPNG returns an animation of n frames that declares another number.
func animatedPNG(t testing.TB, n int, declared uint32) []byte {
	return asAPNG(t, declared, apngFrames()[:n]...)
}

func TestAnimation_drawsFramesOfPNG(t *testing.T) {
	canvas := image.NewNRGBA(image.Rect(0, 0, 30, 20))
	var want []*image.NRGBA
	for _, f := range apngFrames() {
		before := bytes.Clone(canvas.Pix)
		at := f.m.Rect.Add(image.Pt(f.left, f.top))
		op := draw.Src
		if f.blend == 1 {
			op = draw.Over
		}
		draw.Draw(canvas, at, f.m, image.Point{}, op)
		want = append(want, &image.NRGBA{Pix: bytes.Clone(canvas.Pix), Stride: canvas.Stride, Rect: canvas.Rect})
		switch f.disposal {
		case 1:
			draw.Draw(canvas, at, image.Transparent, image.Point{}, draw.Src)
		case 2:
			copy(canvas.Pix, before)
		}
	}
	checkClose(t, moving(t, animatedPNG(t, 5, 5)), want)
}

// checkClose is checkFrames for pixels that are blended: they may differ by 2, in proportion to alpha.
func checkClose(t *testing.T, m *imaging.Image, want []*image.NRGBA) {
	t.Helper()
	err := m.EachFrame(t.Context(), func(i int, frame *imaging.Image) error {
		p, err := frame.Pixels(t.Context())
		if err != nil {
			return err
		}
		for at, v := range p.Pix {
			got, wanted := int(v), int(want[i].Pix[at])
			if at%4 < 3 {
				got, wanted = got*int(p.Pix[at|3])/255, wanted*int(want[i].Pix[at|3])/255
			}
			if got-wanted > 2 || wanted-got > 2 {
				t.Fatalf("frame %d, byte %d: got %d, want %d", i, at, got, wanted)
			}
		}
		return nil
	})
	if err != nil || m.SelectedFrames() != len(want) {
		t.Errorf("%d frames, %v, want %d", m.SelectedFrames(), err, len(want))
	}
}
