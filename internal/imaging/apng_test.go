package imaging_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/draw"
	"reflect"
	"slices"
	"strings"
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

// TestAnimation_isRepaired: faults that do not affect frames are treated as in still images.
func TestAnimation_isRepaired(t *testing.T) {
	png := animatedPNG(t, 5, 5)
	webp := webpOf(t, image.Rect(0, 0, 40, 30), image.Rect(0, 0, 40, 30), image.Rect(4, 4, 20, 20))
	const noEnd, badChunk = "the end marker was missing", "a chunk that did not match its checksum was left out"
	strict := roomy
	strict.Strict = true
	for name, c := range map[string]struct {
		intact, data []byte
		fault        string
	}{
		"png without end":          {png, without(png, 12), noEnd},
		"png with half an end":     {png, without(png, 3), noEnd},
		"png with a bad text":      {png, badChecksum(withChunk(png, "tEXt", []byte("a\x00b")), "tEXt"), badChunk},
		"png with a bad gamma":     {png, badChecksum(withChunk(png, "gAMA", []byte{0, 0, 0, 9}), "gAMA"), badChunk},
		"webp with a byte after":   {webp, append(bytes.Clone(webp), 0), ""},
		"webp with a chunk after":  {webp, append(bytes.Clone(webp), "ANMF\xff\xff\xff\x00........"...), ""},
		"webp with another behind": {webp, append(bytes.Clone(webp), webp...), ""},
	} {
		m := moving(t, c.data)
		if got := strings.Join(m.Repaired, "; "); got != c.fault {
			t.Errorf("%s: repaired %q, want %q", name, got, c.fault)
		}
		if got, want := frames(t, m), frames(t, moving(t, c.intact)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: other frames than those of the intact file", name)
		}
		if _, err := imaging.Open(c.data, strict); isInputError(err) != (c.fault != "") {
			t.Errorf("%s: strict: %v", name, err)
		}
	}
}

// frames returns the pixels of the selected frames.
func frames(t *testing.T, m *imaging.Image) (all []*imaging.Pixels) {
	t.Helper()
	err := m.EachFrame(t.Context(), func(_ int, frame *imaging.Image) error {
		p, err := frame.Pixels(t.Context())
		all = append(all, p)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// apartPNG returns a PNG whose image is no frame of its animation, this image and the first frame.
func apartPNG(t *testing.T) (data []byte, apart, first *image.NRGBA) {
	t.Helper()
	apart, first = noisy(30, 20), noisy(30, 20)
	slices.Reverse(apart.Pix)
	data = asAPNG(t, 3, apngFrame{m: apart}, apngFrame{m: first}, apngFrame{m: noisy(5, 5), left: 1}, apngFrame{m: noisy(9, 9)})
	at := bytes.Index(data, []byte("fcTL")) - 4
	return slices.Delete(data, at, at+12+26), apart, first
}

// TestAnimation_beginsWithItsFirstFrame: the image of a PNG that is no frame of its animation is used only
// if the animation cannot be read.
func TestAnimation_beginsWithItsFirstFrame(t *testing.T) {
	data, apart, first := apartPNG(t)
	m := open(t, data)
	if m.Frames != 3 || m.SelectedFrames() != 1 {
		t.Errorf("%d frames, %d of them selected", m.Frames, m.SelectedFrames())
	}
	checkFrames(t, m, []*image.NRGBA{first})
	for _, s := range []imaging.Selection{{}, {Count: 1}} {
		selected, err := m.Select(s, false)
		if err != nil {
			t.Fatal(err)
		}
		out, err := selected.Resize(t.Context(), 30, 20, imaging.Best, imaging.PNG)
		if err != nil {
			t.Fatal(err)
		}
		checkFrames(t, open(t, out.Data), []*image.NRGBA{first})
	}
	checkFrames(t, open(t, badChecksum(data, "fdAT")), []*image.NRGBA{apart})
	if out, err := m.Convert(t.Context(), imaging.PNG); err != nil || !bytes.Equal(out.Data, data) {
		t.Errorf("the whole file is not returned unchanged: %v", err)
	}
	out, err := open(t, without(data, 12)).Convert(t.Context(), imaging.PNG)
	if err != nil {
		t.Fatal(err)
	}
	checkFrames(t, open(t, out.Data), []*image.NRGBA{first})
}
