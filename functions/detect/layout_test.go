package detect_test

import (
	"slices"
	"strings"
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/functions/detect"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/test/onnx"
)

// TestLayouts wants the same of the same objects, however a model writes them.
func TestLayouts(t *testing.T) {
	objects := []object{
		{40, 8, 60, 24, []float32{0.5, 0.1}},
		{10, 20, 30, 50, []float32{0.3, 0.9}},
		{5, 5, 9, 9, []float32{0.2, 0.24}}, // too unsure
	}
	for name, output := range map[string]onnx.Tensor{"end-to-end": endToEnd(objects...), "v8": v8(objects...), "v5": v5(objects...)} {
		t.Run(name, func(t *testing.T) {
			resp := found(t, output, picture(t, side, side), &request{})
			expect(t, resp, "dog/1 0.90: 10.0 20.0 30.0 50.0", "cat/0 0.50: 40.0 8.0 60.0 24.0")
		})
	}
}

// single writes one object in the layouts that one class makes alike: an input
// of 96 pixels has 567 anchors of six numbers.
func single(row ...float32) onnx.Tensor {
	t := onnx.Tensor{Shape: []int64{1, 567, 6}, Data: make([]float32, 567*6)}
	copy(t.Data, row)
	return t
}

func TestEnd2EndSettlesLayout(t *testing.T) {
	for end2end, want := range map[string]string{"True": "cat/0 0.90: 10.0 20.0 30.0 50.0", "False": "cat/0 0.45: 0.0 0.0 25.0 45.0"} {
		m := onnx.Always([]int64{1, 3, 96, 96}, single(10, 20, 30, 50, 0.9, 0), map[string]string{"names": "{0: 'cat'}", "end2end": end2end})
		if end2end == "False" { // cx cy w h objectness class
			m.Constants["value"] = single(10, 20, 30, 50, 0.9, 0.5)
		}
		p, err := newProcessor(t, m)
		if err != nil {
			t.Fatal(err)
		}
		_, resp, err := p.Apply(t.Context(), functions.Input[*request]{Image: picture(t, 96, 96), Request: &request{}, Format: imaging.PNG})
		if err != nil {
			t.Fatal(err)
		}
		expect(t, resp, want)
	}
}

// TestEnd2EndFalseWithoutDoubt: exports with nms=True say False and are
// end-to-end by their shape.
func TestEnd2EndFalseWithoutDoubt(t *testing.T) {
	resp := found(t, endToEnd(object{10, 20, 30, 50, []float32{0.9}}), picture(t, side, side), &request{}, "end2end", "False")
	expect(t, resp, "cat/0 0.90: 10.0 20.0 30.0 50.0")
}

// TestModelsRefused wants errors that name the setting which decides.
func TestModelsRefused(t *testing.T) {
	shaped := func(shape ...int64) onnx.Tensor {
		n := int64(1)
		for _, v := range shape {
			n *= v
		}
		return onnx.Tensor{Shape: shape, Data: make([]float32, n)}
	}
	one := map[string]string{"names": "{0: 'cat'}"}
	for name, c := range map[string]struct {
		m    onnx.Model
		want []string
	}{
		"ambiguous":           {onnx.Always([]int64{1, 3, 96, 96}, single(), one), []string{"end-to-end", "v5", "metadata end2end"}},
		"unknown":             {onnx.Always(input, shaped(1, 9, 11), metadata()), []string{"[1 9 11]", "2 classes", "metadata names", "64 pixels"}},
		"YOLOX":               {onnx.Always(input, shaped(1, 84, 7), metadata()), []string{"[1 84 7]", "no known layout"}},
		"v8 of other classes": {onnx.Always(input, shaped(1, 84, 84), metadata()), []string{"2 classes", "metadata names"}},
		"two dimensions":      {onnx.Always(input, shaped(20, 6), metadata()), []string{"[20 6]", "three dimensions"}},
		"an oblong input":     {onnx.Always([]int64{1, 3, 64, 32}, endToEnd(), metadata()), []string{"[1 3 64 32]", "[N, 3, side, side]"}},
		"grey input":          {onnx.Always([]int64{1, 1, 64, 64}, endToEnd(), metadata()), []string{"[N, 3, side, side]"}},
		"an open side":        {onnx.Always([]int64{-1, 3, -1, -1}, endToEnd(), metadata()), []string{"metadata imgsz"}},
		"a huge side":         {onnx.Always([]int64{-1, 3, -1, -1}, endToEnd(), metadata("imgsz", "[9000, 9000]")), []string{"metadata imgsz", "4096"}},
		"another task":        {onnx.Always(input, endToEnd(), metadata("task", "segment")), []string{`"segment"`}},
		"no names":            {onnx.Always(input, endToEnd(), nil), []string{"metadata names"}},
		"names with a gap":    {onnx.Always(input, endToEnd(), metadata("names", "{0: 'cat', 2: 'dog'}")), []string{"metadata names", "from 0"}},
		"a fixed batch":       {onnx.Always([]int64{8, 3, 64, 64}, endToEnd(), metadata()), []string{"Expected: 8"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newProcessor(t, c.m)
			if err == nil {
				t.Fatal("it was taken")
			}
			for _, want := range append(c.want, "model m") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not name %q", err, want)
				}
			}
		})
	}
}

func TestDefaultModelMustExist(t *testing.T) {
	dir := t.TempDir()
	if err := onnx.Always(input, endToEnd(), metadata()).Save(dir, "m", "1", "model.onnx"); err != nil {
		t.Fatal(err)
	}
	r := repository(t, dir)
	_, err := detect.New(t.Context(), r, "yolo", r.Names()...)
	if err == nil || !strings.Contains(err.Error(), `"yolo"`) || !strings.Contains(err.Error(), "among m") {
		t.Errorf("got %v, want an error naming yolo and what there is", err)
	}
}

func TestOpenSideTakesImgsz(t *testing.T) {
	m := onnx.Always([]int64{-1, 3, -1, -1}, v8(object{10, 20, 30, 50, []float32{0, 0.9}}), metadata("imgsz", "[64, 64]"))
	p, err := newProcessor(t, m)
	if err != nil {
		t.Fatal(err)
	}
	_, resp, err := p.Apply(t.Context(), functions.Input[*request]{Image: picture(t, 128, 128), Request: &request{}, Format: imaging.PNG})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, resp, "dog/1 0.90: 20.0 40.0 60.0 100.0")
}

// TestClassWithoutName: a model whose classes are more than its names has wrong
// names, so nothing it finds is told.
func TestClassWithoutName(t *testing.T) {
	for _, class := range []float32{2, -1} {
		output := endToEnd()
		copy(output.Data, []float32{10, 20, 30, 50, 0.9, class})
		p, err := newProcessor(t, onnx.Always(input, output, metadata()))
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = p.Apply(t.Context(), functions.Input[*request]{Image: picture(t, 9, 9), Request: &request{}, Format: imaging.PNG})
		if err == nil || !strings.Contains(err.Error(), "metadata names has 2 classes") {
			t.Errorf("class %g: got %v, want an error", class, err)
		}
	}
}

func TestParseNames(t *testing.T) {
	for text, want := range map[string][]string{
		`{0: 'cat', 1: 'dog'}`:                 {"cat", "dog"},
		`{1: 'dog', 0: "cat"}`:                 {"cat", "dog"},
		`{0:'a',1:'b',}`:                       {"a", "b"},
		`{0: "it's", 1: 'say "hi"'}`:           {"it's", `say "hi"`},
		`{0: 'it\'s', 1: "a \"b\""}`:           {"it's", `a "b"`},
		`{0: 'back\\slash', 1: 'end\\'}`:       {`back\slash`, `end\`},
		`{0: '5: \'x\'', 1: "{7: 'y'}, 8: z"}`: {"5: 'x'", "{7: 'y'}, 8: z"},
		`{0: '', 1: 'größe', 2: '汽车'}`:         {"", "größe", "汽车"},
		`{0: 'cat', 2: 'dog'}`:                 nil, // a gap
		`{1: 'cat', 2: 'dog'}`:                 nil,
		`{99999999999999999999: 'cat'}`:        nil,
		``:                                     nil,
		`{}`:                                   nil,
		`cat, dog`:                             nil,
	} {
		if got := detect.ParseNames(text); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}
