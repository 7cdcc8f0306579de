package detect_test

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/testing/onnx"
)

// TestLayouts_areDecoded: models of each layout, with the sizes of real exports, have
// objects at known positions in images of random sizes.
func TestLayouts_areDecoded(t *testing.T) {
	random := newRandom()
	names := make([]string, 80)
	for i := range names {
		names[i] = fmt.Sprintf("%d: 'c%d'", i, i)
	}
	for name, encode := range encoders {
		for _, input := range []size{{640, 640}, {640, 384}} {
			t.Run(fmt.Sprintf("%s %d×%d", name, input.width, input.height), func(t *testing.T) {
				wide, high := 200+random.IntN(1800), 200+random.IntN(1000)
				place := toInput(name, size{wide, high}, input)
				var want, objects []object
				for i := range 7 {
					r := randomRect(random, wide, high, 60)
					o := object{float32(r.Min.X), float32(r.Min.Y), float32(r.Max.X), float32(r.Max.Y), make([]float32, len(names))}
					o.classes[11*i+random.IntN(11)] = 0.3 + 0.6*random.Float32()
					want, objects = append(want, o), append(objects, place(o))
				}
				m := onnx.Always([]int64{1, 3, int64(input.height), int64(input.width)}, encode(input, objects...),
					map[string]string{"names": "{" + strings.Join(names, ", ") + "}"})
				p, err := newProcessor(t, m)
				if err != nil {
					t.Fatal(err)
				}
				resp := detectIn(t, p, blackPNG(t, wide, high), &request{})
				slices.SortFunc(want, func(a, b object) int { return cmp.Compare(slices.Max(b.classes), slices.Max(a.classes)) })
				expectObjects(t, resp, want)
			})
		}
	}
}

// toInput returns the mapping of objects from an image to the input of a model.
func toInput(layout string, image, input size) func(object) object {
	x, y := float32(input.width)/float32(image.width), float32(input.height)/float32(image.height)
	var left, top float32
	if !strings.HasPrefix(layout, "rt-detr") { // its images are stretched
		scale, round := min(float64(input.width)/float64(image.width), float64(input.height)/float64(image.height)), math.Round
		if strings.HasPrefix(layout, "yolox") {
			round = math.Floor
		}
		w, h := float32(round(float64(image.width)*scale)), float32(round(float64(image.height)*scale))
		x, y = w/float32(image.width), h/float32(image.height)
		if !strings.HasPrefix(layout, "yolox") { // its images are in the top left corner
			left, top = float32((input.width-int(w))/2), float32((input.height-int(h))/2)
		}
	}
	return func(o object) object {
		return object{o.x1*x + left, o.y1*y + top, o.x2*x + left, o.y2*y + top, o.classes}
	}
}

// expectObjects compares boxes within half a pixel and confidences within 0.001.
func expectObjects(t *testing.T, resp *response, want []object) {
	t.Helper()
	if len(resp.GetDetections()) != len(want) {
		t.Fatalf("got %q, want %v", lines(resp), want)
	}
	for i, d := range resp.GetDetections() {
		b, w := d.GetBbox(), want[i]
		confidence := slices.Max(w.classes)
		if class := slices.Index(w.classes, confidence); int(d.GetClassId()) != class || d.GetClassName() != fmt.Sprint("c", class) {
			t.Errorf("got class %d, want %d", d.GetClassId(), class)
		}
		for _, off := range []float32{b.X1 - w.x1, b.Y1 - w.y1, b.X2 - w.x2, b.Y2 - w.y2, 500 * (d.GetConfidence() - confidence)} {
			if max(off, -off) > 0.5 {
				t.Errorf("got %v at %g, want %v at %g", b, d.GetConfidence(), w, confidence)
			}
		}
	}
}

// blackPNG returns a black PNG.
func blackPNG(t *testing.T, width, height int) []byte {
	t.Helper()
	p, err := imaging.NewPixels(width, height, 3).Encode(t.Context(), imaging.PNG)
	if err != nil {
		t.Fatal(err)
	}
	return p.Data
}

// TestLayout_isChosenByMetadata: with few classes, two layouts can have the same shape.
func TestLayout_isChosenByMetadata(t *testing.T) {
	const nms = "{'batch': 1, 'nms': True}"
	for _, c := range []struct {
		settings []string
		want     string
	}{
		{[]string{"end2end", "True"}, "end-to-end"},
		{[]string{"end2end", "False", "args", nms}, "end-to-end"},
		{[]string{"end2end", "", "args", nms}, "end-to-end"},
		{[]string{"end2end", "", "head", "v10Detect"}, "end-to-end"},
		{[]string{"end2end", "False"}, "rt-detr"},
		{[]string{"head", "RTDETRDecoder", "end2end", "False"}, "rt-detr"},
		{[]string{"head", "RTDETRDecoder", "end2end", "False"}, "rt-detr-topk"},
		{[]string{"end2end", ""}, "rt-detr-topk"},
		{[]string{"layout", "rt-detr", "end2end", "True"}, "rt-detr"},
		{[]string{"layout", "end-to-end", "end2end", "False"}, "end-to-end"},
	} {
		t.Run(fmt.Sprint(c.settings), func(t *testing.T) {
			output := rows(300, 6)
			copy(output.Data, map[string][]float32{
				"rt-detr": {0.25, 0.5, 0.3, 0.6, 0.1, 0.9}, "rt-detr-topk": {0.25, 0.5, 0.3, 0.6, 0.9, 1},
				"end-to-end": {6.4, 12.8, 25.6, 51.2, 0.9, 1},
			}[c.want])
			expect(t, detectConstant(t, output, greyImage(t, side, side), &request{}, c.settings...),
				"dog/1 0.90: 6.4 12.8 25.6 51.2")
		})
	}
}

// singleRow returns an output with one object. With one class and an input of 96
// pixels, it has the shape of two layouts: 567 anchors of six numbers.
func singleRow(row ...float32) onnx.Tensor {
	t := onnx.Tensor{Shape: []int64{1, 567, 6}, Data: make([]float32, 567*6)}
	copy(t.Data, row)
	return t
}

func TestLayout_isChosenByEnd2End(t *testing.T) {
	for end2end, want := range map[string]string{
		"True": "cat/0 0.90: 10.0 20.0 30.0 50.0", "False": "cat/0 0.45: 0.0 0.0 25.0 45.0",
	} {
		settings := map[string]string{"names": "{0: 'cat'}", "end2end": end2end}
		m := onnx.Always([]int64{1, 3, 96, 96}, singleRow(10, 20, 30, 50, 0.9, 0), settings)
		if end2end == "False" { // cx cy w h objectness class
			m.Constants["value"] = singleRow(10, 20, 30, 50, 0.9, 0.5)
		}
		p, err := newProcessor(t, m)
		if err != nil {
			t.Fatal(err)
		}
		_, resp, err := apply(t.Context(), p, &request{}, functions.Input{Image: greyImage(t, 96, 96), Format: imaging.PNG})
		if err != nil {
			t.Fatal(err)
		}
		expect(t, resp, want)
	}
}

// TestLayout_isChosenByShapeFirst: exports with nms=True have end2end False, but only
// the layout end-to-end fits their shape.
func TestLayout_isChosenByShapeFirst(t *testing.T) {
	resp := detectConstant(t, endToEnd(object{10, 20, 30, 50, []float32{0.9}}), greyImage(t, side, side), &request{},
		"end2end", "False", "names", "{0: 'cat', 1: 'dog', 2: 'cow'}")
	expect(t, resp, "cat/0 0.90: 10.0 20.0 30.0 50.0")
}

// fractions returns an output of the layout v8 whose boxes are fractions of the input.
func fractions() onnx.Tensor {
	t := v8(object{0, 0, 0, 0, []float32{0, 0}})
	for i := range t.Data {
		t.Data[i] = float32(i%9) / 9
	}
	return t
}

// refusedModel is a model and parts of the error that refuses it.
type refusedModel struct {
	m    onnx.Model
	want []string
}

// shaped returns a tensor of zeros.
func shaped(shape ...int64) onnx.Tensor {
	n := int64(1)
	for _, v := range shape {
		n *= v
	}
	return onnx.Tensor{Shape: shape, Data: make([]float32, n)}
}

// badLayouts returns models whose outputs are not understood.
func badLayouts() map[string]refusedModel {
	one := map[string]string{"names": "{0: 'cat'}"}
	return map[string]refusedModel{
		"ambiguous": {
			onnx.Always([]int64{1, 3, 96, 96}, singleRow(), one),
			[]string{"end-to-end and v5", "metadata must have end2end", "parameter layout"},
		},
		"boxes in fractions": {
			onnx.Always(input, fractions(), metadata()), []string{"[1 6 84]", "plausible", "v8", "parameter layout"},
		},
		"unknown shape": {
			onnx.Always(input, shaped(1, 9, 11), metadata()),
			[]string{"[1 9 11]", "2 classes", "names", "64×64 pixels", "parameter layout"},
		},
		"unknown layout": {
			onnx.Always(input, endToEnd(), metadata("layout", "v99")),
			[]string{`"v99"`, "end-to-end, v8, v5, yolox, yolox-decoded, rt-detr, rt-detr-topk"},
		},
		"shape of another layout": {
			onnx.Always(input, shaped(1, 84, 9), metadata("layout", "yolox")), []string{"[1 84 9]", "yolox", "2 classes"},
		},
		"YOLOX of another size": {
			onnx.Always(input, shaped(1, 86, 7), metadata("layout", "yolox")), []string{"[1 86 7]", "yolox", "64×64"},
		},
		"v8 of other classes": {onnx.Always(input, shaped(1, 84, 84), metadata()), []string{"2 classes", "names"}},
		"two dimensions":      {onnx.Always(input, shaped(20, 6), metadata()), []string{"[20 6]", "parameter layout"}},
	}
}

// badInputs returns models whose inputs or parameters are not supported.
func badInputs() map[string]refusedModel {
	return map[string]refusedModel{
		"unknown resize": {
			onnx.Always(input, shaped(1, 84, 7), metadata("resize", "crop")),
			[]string{"parameter resize", "letterbox, top-left, stretch or center-crop"},
		},
		"unknown channel order": {
			onnx.Always(input, shaped(1, 84, 7), metadata("channel_order", "gbr")),
			[]string{"parameter channel_order", "rgb or bgr"},
		},
		"unknown pixel range": {
			onnx.Always(input, shaped(1, 84, 7), metadata("pixel_range", "2")), []string{"parameter pixel_range", "1 or 255"},
		},
		"two channels": {onnx.Always([]int64{1, 2, 64, 64}, endToEnd(), metadata()), []string{"input_format", "1 or 3 channels"}},
		"dynamic side": {onnx.Always([]int64{-1, 3, -1, -1}, endToEnd(), metadata()), []string{"parameter imgsz"}},
		"huge side": {
			onnx.Always([]int64{-1, 3, -1, -1}, endToEnd(), metadata("imgsz", "[9000, 9000]")),
			[]string{"parameter imgsz", "4096"},
		},
		"other task": {onnx.Always(input, endToEnd(), metadata("task", "track")), []string{`"track"`, "pose, obb and classify"}},
		"oriented boxes": {
			onnx.Always(input, endToEnd(), metadata("task", "obb")), []string{"[1 300 6]", `task "obb"`, "parameter layout"},
		},
		"no prototypes": {onnx.Always(input, endToEnd(), metadata("task", "segment")), []string{`"segment"`}},
		"no names":      {onnx.Always(input, endToEnd(), nil), []string{"parameter names", "labels.txt"}},
		"missing name": {
			onnx.Always(input, endToEnd(), metadata("names", "{0: 'cat', 2: 'dog'}")),
			[]string{"parameter names", "starting at 0"},
		},
		"fixed batch": {
			onnx.Always([]int64{100, 3, 64, 64}, endToEnd(), metadata()), []string{"[100 3 64 64]", "dynamic batch axis"},
		},
	}
}

// TestModels_areRefused: the error names the setting that would help.
func TestModels_areRefused(t *testing.T) {
	all := badLayouts()
	maps.Copy(all, badInputs())
	for name, c := range all {
		t.Run(name, func(t *testing.T) {
			_, err := newProcessor(t, c.m)
			if err == nil {
				t.Fatal("the model was accepted")
			}
			for _, want := range append(c.want, `model "m"`) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not contain %q", err, want)
				}
			}
		})
	}
}

func TestImgsz_setsDynamicSides(t *testing.T) {
	m := onnx.Always([]int64{-1, 3, -1, -1}, v8(object{10, 20, 30, 50, []float32{0, 0.9}}), metadata("imgsz", "[64, 64]"))
	p, err := newProcessor(t, m)
	if err != nil {
		t.Fatal(err)
	}
	_, resp, err := apply(t.Context(), p, &request{}, functions.Input{Image: greyImage(t, 128, 128), Format: imaging.PNG})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, resp, "dog/1 0.90: 20.0 40.0 60.0 100.0")
}
