package detect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"slices"
	"strings"
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/testing/onnx"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// brightnessModel finds a cat with a confidence of the mean of the input, from 0 to 1, and a dog with
// 0.9 minus the mean.
func brightnessModel() onnx.Model {
	cat, dog := image.Rect(4, 8, 24, 30), image.Rect(36, 40, 60, 56)
	corners := func(r image.Rectangle, classes ...float32) object {
		return object{float32(r.Min.X), float32(r.Min.Y), float32(r.Max.X), float32(r.Max.Y), classes}
	}
	dark := v8(corners(cat, 0, 0), corners(dog, 0, 0.9))
	change := v8(object{classes: []float32{1, 0}}, object{classes: []float32{0, -1}})
	return onnx.Model{
		Input: input, Output: dark.Shape, Metadata: metadata(),
		Constants: map[string]onnx.Tensor{"dark": dark, "change": change},
		Nodes: []onnx.Node{
			{Op: "ReduceMean", Inputs: []string{"input"}, Output: "mean"},
			{Op: "Squeeze", Inputs: []string{"mean"}, Output: "number"},
			{Op: "Mul", Inputs: []string{"change", "number"}, Output: "changed"},
			{Op: "Add", Inputs: []string{"dark", "changed"}, Output: "output"},
		},
	}
}

// greys returns an animated GIF of side × side pixels with a frame of each level of grey.
func greys(t testing.TB, levels ...uint8) []byte {
	t.Helper()
	all := &gif.GIF{}
	for _, level := range levels {
		palette := color.Palette{color.Gray{level}}
		all.Image = append(all.Image, image.NewPaletted(image.Rect(0, 0, side, side), palette))
		all.Delay = append(all.Delay, 10)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, all); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// detectFrames applies a model to a GIF as a job does.
func detectFrames(
	t *testing.T, by onnx.Model, data []byte, r *request, f imaging.Format,
) (imaging.Encoded, *response, error) {
	t.Helper()
	p, err := newProcessor(t, by)
	if err != nil {
		t.Fatal(err)
	}
	in := r.GetInputImage()
	selected := imaging.Selection{First: int(in.GetPage()), Count: int(in.GetPages())}
	m, err := open(t, data).Select(selected, p.Moves(r, nil) && (p.ReadsFrames(r) || f.HasFrames()))
	if err != nil {
		t.Fatal(err)
	}
	return apply(t.Context(), p, r, functions.Input{Image: m, Format: f})
}

// found returns the detections as text: frame, class.
func found(r *response) (all []string) {
	for _, d := range r.GetDetections() {
		all = append(all, fmt.Sprint(d.GetFrame(), d.GetClassName()))
	}
	return all
}

func TestFrames_areSelected(t *testing.T) {
	data := greys(t, 0, 255, 128, 0, 255, 128, 255)
	for name, c := range map[string]struct {
		r        *request
		want     []string
		examined *imageflowv1.ExaminedFrames
	}{
		"one":       {&request{}, []string{"0dog"}, nil},
		"of a page": {&request{InputImage: &imageflowv1.ImageData{Page: 1}}, []string{"0cat"}, nil},
		"all": {
			&request{Frames: 1}, []string{"0dog", "1cat", "2cat", "2dog", "3dog", "4cat", "5cat", "5dog", "6cat"},
			&imageflowv1.ExaminedFrames{Examined: 7, Every: 1, Total: 7},
		},
		"every third": {
			&request{Frames: 3}, []string{"0dog", "3dog", "6cat"}, &imageflowv1.ExaminedFrames{Examined: 3, Every: 3, Total: 7},
		},
		"every second from one on": {
			&request{Frames: 2, InputImage: &imageflowv1.ImageData{Page: 1, Pages: 5}}, []string{"1cat", "3dog", "5cat", "5dog"},
			&imageflowv1.ExaminedFrames{Examined: 3, First: 1, Every: 2, Total: 7},
		},
		"more than there are": {
			&request{Frames: 1 << 30}, []string{"0dog"}, &imageflowv1.ExaminedFrames{Examined: 1, Every: 1 << 30, Total: 7},
		},
		"one object in each": {
			&request{Frames: 2, MaxDetections: 1}, []string{"0dog", "2cat", "4cat", "6cat"},
			&imageflowv1.ExaminedFrames{Examined: 4, Every: 2, Total: 7},
		},
	} {
		_, resp, err := detectFrames(t, brightnessModel(), data, c.r, imaging.PNG)
		m := resp.GetMetadata()
		if err != nil || !slices.Equal(found(resp), c.want) || m.GetFrames().String() != c.examined.String() ||
			int(m.GetTotalDetections()) != len(c.want) {
			t.Errorf("%s: got %v, %v, %v, want %v", name, found(resp), m, err, c.want)
		}
	}
	_, resp, err := detectFrames(t, brightnessModel(), blackPNG(t, side, side), &request{Frames: 5}, imaging.PNG)
	if err != nil || !slices.Equal(found(resp), []string{"0dog"}) || resp.GetMetadata().GetFrames().GetTotal() != 1 {
		t.Errorf("a still image: got %v, %v", resp, err)
	}
}

// Each frame of an output that moves has its boxes, or those of the last examined one, and another
// output those of the first.
func TestFrames_drawBoxes(t *testing.T) {
	data := greys(t, 0, 255, 255, 0, 128)
	for f, want := range map[imaging.Format][]string{
		imaging.GIF: {"dog", "dog", "cat", "cat", "cat and dog"}, imaging.PNG: {"dog"},
	} {
		out, _, err := detectFrames(t, brightnessModel(), data, &request{Frames: 2, DrawBoxes: true}, f)
		if err != nil {
			t.Fatal(err)
		}
		m, err := open(t, out.Data).Select(imaging.Selection{}, true)
		if err != nil || m.SelectedFrames() != len(want) || max(1, out.Frames) != len(want) {
			t.Fatalf("%s: %d frames, reported as %d, %v", f, m.SelectedFrames(), out.Frames, err)
		}
		err = m.EachFrame(t.Context(), func(i int, frame *imaging.Image) error {
			p, err := frame.Pixels(t.Context())
			if err != nil {
				return err
			}
			for name, corner := range map[string]image.Point{"cat": {4, 29}, "dog": {36, 55}} {
				pixel := p.Pix[(corner.Y*p.Width+corner.X)*p.Channels:]
				if drawn := pixel[0] != pixel[1] || pixel[1] != pixel[2]; drawn != strings.Contains(want[i], name) {
					t.Errorf("%s, frame %d: the box of the %s is drawn: %v", f, i, name, drawn)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestFrames_areLimited: an answer with more detections than the contract allows is an error.
func TestFrames_areLimited(t *testing.T) {
	var objects []object
	for i := range 80 {
		x, y := float32(i%8*8), float32(i/8*6)
		objects = append(objects, object{x, y, x + 5, y + 5, []float32{0.9, 0}})
	}
	data := greys(t, slices.Repeat([]uint8{9}, 126)...)
	for every, fails := range map[int32]bool{1: true, 2: false} {
		_, resp, err := detectFrames(t, onnx.Always(input, v8(objects...), metadata()), data, &request{Frames: every}, imaging.PNG)
		var e *functions.Error
		if !fails && (err != nil || len(resp.GetDetections()) != 63*80) {
			t.Errorf("every %d: %d detections, %v", every, len(resp.GetDetections()), err)
		}
		if fails && (!errors.As(err, &e) || e.Kind != functions.Invalid || e.Field != "max_detections") {
			t.Errorf("every %d: got %v", every, err)
		}
	}
}

// TestFrames_stop: the work ends with its context, between two frames.
func TestFrames_stop(t *testing.T) {
	p, err := newProcessor(t, brightnessModel())
	if err != nil {
		t.Fatal(err)
	}
	m, err := open(t, greys(t, 0, 255, 0)).Select(imaging.Selection{}, true)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	in := functions.Input{Image: m, Format: imaging.GIF, Watch: func(ctx context.Context, stage string) (context.Context, func()) {
		return ctx, func() {
			if stage == "infer" {
				n++
				cancel()
			}
		}
	}}
	if _, _, err := apply(ctx, p, &request{Frames: 1}, in); !errors.Is(err, context.Canceled) || n != 1 {
		t.Errorf("%d frames, %v", n, err)
	}
}
