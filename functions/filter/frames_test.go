package filter_test

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/functions"
	"imageflow.dev/functions/filter"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

var (
	secret = color.NRGBA{255, 0, 0, 255}
	others = color.NRGBA{0, 0, 255, 255}
	black  = color.NRGBA{A: 255}
)

// secrets is an animation of 24 × 16 pixels in which the frames have the secret colour at these places.
// Its other pixels have another one.
func secrets(t testing.TB, frames ...image.Rectangle) []byte {
	t.Helper()
	all := &gif.GIF{}
	for _, at := range frames {
		m := image.NewPaletted(image.Rect(0, 0, 24, 16), color.Palette{others, secret})
		for y := at.Min.Y; y < at.Max.Y; y++ {
			for x := at.Min.X; x < at.Max.X; x++ {
				m.SetColorIndex(x, y, 1)
			}
		}
		all.Image, all.Delay = append(all.Image, m), append(all.Delay, 5)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, all); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// redactFrames redacts an animation by a request and a side-car, as a job does.
func redactFrames(
	t *testing.T, data []byte, s imaging.Selection, r *request, sideCar []byte, f imaging.Format,
) (imaging.Encoded, error) {
	t.Helper()
	if err := filter.Processor.Check(r); err != nil {
		return imaging.Encoded{}, err
	}
	m, err := open(t, data).Select(s, filter.Processor.Moves(r, sideCar) && f.HasFrames())
	if err != nil {
		t.Fatal(err)
	}
	m.Encoding.Lossless = f == imaging.WebP
	out, _, err := filter.Processor.Apply(t.Context(), r, functions.Input{Image: m, Format: f, Reference: sideCar})
	return out, err
}

// eachPixel calls do for all pixels of all frames of a file.
func eachPixel(t *testing.T, data []byte, do func(frame int, at image.Point, c color.NRGBA)) (frames int) {
	t.Helper()
	m, err := open(t, data).Select(imaging.Selection{}, true)
	if err != nil {
		t.Fatal(err)
	}
	err = m.EachFrame(t.Context(), func(i int, frame *imaging.Image) error {
		p, err := frame.Pixels(t.Context())
		if err != nil {
			return err
		}
		for at := range p.Width * p.Height {
			c := p.Pix[at*p.Channels:]
			do(i, image.Pt(at%p.Width, at/p.Width), color.NRGBA{c[0], c[1], c[2], 255})
		}
		frames++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return frames
}

// found returns the side-car of a detection that found a region in each of some frames.
func found(t testing.TB, examined *imageflowv1.ExaminedFrames, regions map[int]image.Rectangle) []byte {
	t.Helper()
	r := &imageflowv1.DetectionResponse{Metadata: &imageflowv1.DetectionMetadata{
		ImageWidth: 24, ImageHeight: 16, Frames: examined,
	}}
	for frame, at := range regions {
		r.Detections = append(r.Detections, &imageflowv1.Detection{Bbox: boxOf(at), Frame: int32(frame)})
	}
	sideCar, err := protojson.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return sideCar
}

// The secret is at another place in each frame.
var places = []image.Rectangle{
	image.Rect(1, 1, 6, 6), image.Rect(6, 1, 11, 6), image.Rect(11, 1, 16, 6), image.Rect(16, 1, 21, 6), image.Rect(16, 9, 21, 14),
}

// Given boxes are hidden in all frames, and no other pixel changes.
func TestRedaction_ofFrames_hidesBoxes(t *testing.T) {
	at := image.Rect(3, 2, 12, 9)
	r := redacting(fill, &imageflowv1.Redaction{Boxes: []*imageflowv1.BoundingBox{boxOf(at)}})
	for _, f := range []imaging.Format{imaging.GIF, imaging.WebP} {
		out, err := redactFrames(t, secrets(t, places...), imaging.Selection{}, r, nil, f)
		if err != nil {
			t.Fatal(err)
		}
		n := eachPixel(t, out.Data, func(i int, p image.Point, got color.NRGBA) {
			want := others
			if p.In(at) {
				want = black
			} else if p.In(places[i]) {
				want = secret
			}
			if got != want {
				t.Fatalf("%s, frame %d, %v: %v, want %v", f, i, p, got, want)
			}
		})
		if n != len(places) || out.Frames != n {
			t.Errorf("%s: %d frames, reported as %d", f, n, out.Frames)
		}
	}
}

// No frame shows what was found in it, or before and after it if it was not examined itself. No other
// pixel changes.
func TestRedaction_ofFrames_hidesDetections(t *testing.T) {
	r := redacting(fill, &imageflowv1.Redaction{Detected: true})
	for i := range 8 {
		every, later := i/2+1, i%2 == 1 // where the secret is in frames that were not examined
		e := &imageflowv1.ExaminedFrames{Every: int32(every), Total: int32(len(places))}
		regions, frames := map[int]image.Rectangle{}, make([]image.Rectangle, len(places))
		for k := range frames {
			before, after := k/every*every, (k+every-1)/every*every
			if frames[k] = places[before]; later && after < len(places) {
				frames[k] = places[after]
			}
			if before == after {
				regions[k], e.Examined = places[k], e.Examined+1
			}
		}
		out, err := redactFrames(t, secrets(t, frames...), imaging.Selection{}, r, found(t, e, regions), imaging.GIF)
		if err != nil {
			t.Fatal(err)
		}
		eachPixel(t, out.Data, func(k int, p image.Point, got color.NRGBA) {
			before, after := places[k/every*every], places[min(len(places)-1, (k+every-1)/every*every)]
			if p.In(frames[k]) && got != black || !p.In(before) && !p.In(after) && got != others {
				t.Fatalf("every %d, frame %d: %v is %v", every, k, p, got)
			}
		})
	}
}

// A still output shows the regions of its frame, also if it was not examined itself.
func TestRedaction_ofFrames_still(t *testing.T) {
	sideCar := found(t, &imageflowv1.ExaminedFrames{Examined: 2, Every: 4, Total: 5},
		map[int]image.Rectangle{0: places[0], 4: places[4]})
	for i, at := range map[int]image.Rectangle{0: places[0], 2: places[4], 3: places[0], 4: places[4]} {
		frames := make([]image.Rectangle, 5)
		frames[i] = at
		r := redacting(fill, &imageflowv1.Redaction{Detected: true})
		out, err := redactFrames(t, secrets(t, frames...), imaging.Selection{First: i, Count: 1}, r, sideCar, imaging.PNG)
		if err != nil {
			t.Fatal(err)
		}
		eachPixel(t, out.Data, func(_ int, p image.Point, got color.NRGBA) {
			if got == secret {
				t.Fatalf("frame %d shows the secret at %v", i, p)
			}
		})
	}
}

// With invert, a frame shows what was found in it, and nothing if it was not examined.
func TestRedaction_ofFrames_invert(t *testing.T) {
	sideCar := found(t, &imageflowv1.ExaminedFrames{Examined: 3, Every: 2, Total: 5},
		map[int]image.Rectangle{0: places[0], 2: places[2], 4: places[4]})
	r := redacting(fill, &imageflowv1.Redaction{Detected: true, Invert: true})
	out, err := redactFrames(t, secrets(t, places...), imaging.Selection{}, r, sideCar, imaging.GIF)
	if err != nil {
		t.Fatal(err)
	}
	eachPixel(t, out.Data, func(i int, p image.Point, got color.NRGBA) {
		want := black
		if i%2 == 0 && p.In(places[i]) {
			want = secret
		}
		if got != want {
			t.Fatalf("frame %d, %v: %v, want %v", i, p, got, want)
		}
	})
}

// Frames that the detection did not examine are never shown.
func TestRedaction_ofFrames_refusals(t *testing.T) {
	of := func(first, examined, every, total int32) *imageflowv1.ExaminedFrames {
		return &imageflowv1.ExaminedFrames{First: first, Examined: examined, Every: every, Total: total}
	}
	whole := imaging.Selection{}
	for i, c := range []struct {
		examined *imageflowv1.ExaminedFrames
		s        imaging.Selection
		refused  bool
	}{
		{of(0, 5, 1, 5), whole, false}, {of(0, 3, 2, 5), whole, false}, {of(1, 4, 1, 5), imaging.Selection{First: 1}, false},
		{of(0, 1, 1<<31-1, 5), whole, false}, {of(1, 2, 1, 5), imaging.Selection{First: 1, Count: 2}, false},
		{of(1, 4, 1, 5), whole, true}, {of(0, 4, 1, 5), whole, true}, {of(0, 2, 2, 5), whole, true},
		{of(0, 5, 1, 6), whole, true}, {of(1, 2, 1, 5), imaging.Selection{First: 1}, true}, {of(-1, 9, 1, 5), whole, true},
		{of(0, 5, 0, 5), whole, true}, {of(0, 0, 1, 5), whole, true}, {of(1, 2, 1, 5), imaging.Selection{First: 3, Count: 1}, true},
	} {
		r := redacting(fill, &imageflowv1.Redaction{Detections: &imageflowv1.ImageData{ObjectKey: "x.json"}})
		_, err := redactFrames(t, secrets(t, places...), c.s, r, found(t, c.examined, nil), imaging.GIF)
		if isInvalid(err, "redaction.detections") != c.refused || !c.refused && err != nil {
			t.Errorf("%d: %v of %v: %v", i, c.s, c.examined, err)
		}
	}
}

// A detection of one frame hides the others, because nobody looked at them.
func TestRedaction_ofFrames_withoutFrames(t *testing.T) {
	sideCar := found(t, nil, map[int]image.Rectangle{0: places[0]})
	for _, r := range []*imageflowv1.Redaction{{Detected: true}, {Detected: true, Classes: []string{"none"}}} {
		out, err := redactFrames(t, secrets(t, places...), imaging.Selection{}, redacting(fill, r), sideCar, imaging.GIF)
		if err != nil || out.Frames != 0 {
			t.Fatalf("%v: %d frames, %v", r, out.Frames, err)
		}
		n := eachPixel(t, out.Data, func(_ int, p image.Point, got color.NRGBA) {
			if want := map[bool]color.NRGBA{true: secret, false: others}[p.In(places[0])]; got != want && got != black {
				t.Fatalf("%v is %v", p, got)
			}
		})
		if n != 1 {
			t.Errorf("%d frames", n)
		}
	}
}

// Without a region, all examined frames pass unchanged, or the call fails.
func TestRedaction_ofFrames_onNone(t *testing.T) {
	data := secrets(t, places...)
	sideCar := found(t, &imageflowv1.ExaminedFrames{Examined: 3, Every: 2, Total: 5}, nil)
	r := redacting(fill, &imageflowv1.Redaction{Detected: true})
	out, err := redactFrames(t, data, imaging.Selection{}, r, sideCar, imaging.GIF)
	if err != nil || !bytes.Equal(out.Data, data) || out.Frames != 5 {
		t.Errorf("%d frames, unchanged %v, %v", out.Frames, bytes.Equal(out.Data, data), err)
	}
	r = redacting(fill, &imageflowv1.Redaction{Detected: true, OnNone: imageflowv1.OnNone_ON_NONE_FAIL})
	if _, err := redactFrames(t, data, imaging.Selection{}, r, sideCar, imaging.GIF); !isInvalid(err, "redaction.on_none") {
		t.Errorf("got %v", err)
	}
	sideCar = found(t, &imageflowv1.ExaminedFrames{Examined: 3, Every: 2, Total: 5}, map[int]image.Rectangle{4: places[4]})
	if out, err = redactFrames(t, data, imaging.Selection{}, r, sideCar, imaging.GIF); err != nil || out.Frames != 5 {
		t.Errorf("a region in the last frame: %d frames, %v", out.Frames, err)
	}
}
