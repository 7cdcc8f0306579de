package detect_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/testing/onnx"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

type region = imageflowv1.Region

// pets are the names of five classes.
const pets = "{0: 'cat', 1: 'dog', 2: 'bird', 3: '7', 4: 'hot dog'}"

// pet returns an object of the class with this number.
func pet(class int, confidence, x1, y1, x2, y2 float32) object {
	o := object{x1, y1, x2, y2, make([]float32, 5)}
	o.classes[class] = confidence
	return o
}

// threeOverlapping are boxes of three classes whose IoU is above 0.8, and a bird beside them.
func threeOverlapping() []object {
	return []object{
		pet(0, 0.9, 0, 0, 20, 20), pet(1, 0.8, 0, 0, 20, 19), pet(2, 0.7, 0, 0, 20, 18), pet(2, 0.6, 40, 40, 60, 60),
	}
}

const (
	theCat  = "cat/0 0.90: 0.0 0.0 20.0 20.0"
	theDog  = "dog/1 0.80: 0.0 0.0 20.0 19.0"
	theBird = "bird/2 0.70: 0.0 0.0 20.0 18.0"
	farBird = "bird/2 0.60: 40.0 40.0 60.0 60.0"
)

func TestSelection_ofClasses(t *testing.T) {
	for name, c := range map[string]struct {
		r    *request
		want []string
	}{
		"all":             {&request{}, []string{theCat, theDog, theBird, farBird}},
		"by name":         {&request{Classes: []string{"dog"}}, []string{theDog}},
		"by number":       {&request{Classes: []string{"2"}}, []string{theBird, farBird}},
		"by both":         {&request{Classes: []string{"0", "bird", "2"}}, []string{theCat, theBird, farBird}},
		"found in no box": {&request{Classes: []string{"7"}}, nil},
		"threshold":       {&request{ClassThresholds: map[string]float32{"bird": 0.65}}, []string{theCat, theDog, theBird}},
		"lower threshold": {
			&request{ConfidenceThreshold: 0.85, ClassThresholds: map[string]float32{"2": 0.6}}, []string{theCat, theBird, farBird}},
		"of a chosen class": {
			&request{Classes: []string{"bird", "dog"}, ClassThresholds: map[string]float32{"bird": 0.65}}, []string{theDog, theBird}},
		"across classes": {&request{AgnosticNms: true}, []string{theCat, farBird}},
		// The cat is dropped before non-maximum suppression, so it suppresses nothing.
		"across chosen classes": {&request{AgnosticNms: true, Classes: []string{"dog", "bird"}}, []string{theDog, farBird}},
		"across classes above their thresholds": {
			&request{AgnosticNms: true, ClassThresholds: map[string]float32{"cat": 0.95}}, []string{theDog, farBird}},
	} {
		t.Run(name, func(t *testing.T) {
			all := threeOverlapping()
			for layout, output := range map[string]onnx.Tensor{"v8": v8(all...), "end-to-end": endToEnd(all...)} {
				t.Run(layout, func(t *testing.T) {
					resp := detectConstant(t, output, greyImage(t, side, side), c.r, "names", pets, "layout", layout)
					expect(t, resp, c.want...)
				})
			}
		})
	}
}

// TestSelection_namesClasses: a response lists the classes that were looked for, also those that were not found.
// Bytes that are no text, as of labels.txt in another encoding, do not make it unreadable.
func TestSelection_namesClasses(t *testing.T) {
	long := "{0: 'cat', 1: 'dog', 2: 'bird', 3: '7', 4: '" + strings.Repeat("x", 20_000) + "'}"
	for _, c := range []struct {
		names string
		r     *request
		want  map[int32]string
	}{
		{pets, &request{}, map[int32]string{0: "cat", 1: "dog", 2: "bird", 3: "7", 4: "hot dog"}},
		{pets, &request{Classes: []string{"dog", "3"}}, map[int32]string{1: "dog", 3: "7"}},
		{"{0: 'cat', 1: 'k\xe4se', 2: 'bird', 3: '7', 4: 'x'}", &request{Classes: []string{"1"}}, map[int32]string{1: "k\uFFFDse"}},
		{long, &request{}, nil},
		{long, &request{Classes: []string{"cat"}}, map[int32]string{0: "cat"}},
	} {
		resp := detectConstant(t, v8(threeOverlapping()...), greyImage(t, side, side), c.r, "names", c.names)
		if got := resp.GetMetadata().GetClassNames(); !maps.Equal(got, c.want) {
			t.Errorf("%.60s, %v: %v", c.names, c.r, got)
		}
	}
}

func TestSelection_refusesUnknownAndContradictoryClasses(t *testing.T) {
	p, err := newProcessor(t, onnx.Always(input, v8(threeOverlapping()...), metadata("names", pets)))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		r           *request
		field, text string
	}{
		{&request{Classes: []string{"cat", "Dogs"}}, "classes[1]", `no class "Dogs"; of its 5 classes, the nearest are "dog", `},
		{&request{Classes: []string{"5"}}, "classes[0]", "of its 5 classes"},
		{&request{Classes: []string{"-1"}}, "classes[0]", "no class"},
		{&request{Classes: []string{strings.Repeat("x", 128)}}, "classes[0]", "nearest"},
		{&request{ClassThresholds: map[string]float32{"cow": 0.5}}, "class_thresholds", `no class "cow"`},
		{&request{Classes: []string{"cat"}, ClassThresholds: map[string]float32{"dog": 0.5}}, "class_thresholds",
			`"dog" is not one of classes`},
		{&request{ClassThresholds: map[string]float32{"1": 0.5, "dog": 0.6}}, "class_thresholds",
			`"dog" is given by name and by number`},
		{&request{Crops: &crops{Classes: []string{"cat", "Dog"}}}, "crops.classes[1]", `no class "Dog"; of its 5 classes`},
		{&request{Classes: []string{"cat"}, Crops: &crops{Classes: []string{"dog"}}}, "crops.classes[0]",
			`"dog" is not one of classes`},
		{&request{Regions: []*region{{X2: 9, Y2: 9}, {X1: 64, X2: 65, Y2: 1}}}, "regions[1]",
			"outside the image, which has 64×64 pixels"},
	} {
		_, _, err := apply(t.Context(), p, c.r, functions.Input{Image: greyImage(t, side, side), Format: imaging.PNG})
		var e *functions.Error
		if !errors.As(err, &e) || e.Kind != functions.Invalid || e.Field != c.field || !strings.Contains(e.Message, c.text) {
			t.Errorf("%v: got %v, want Invalid for %s with %q", c.r, err, c.field, c.text)
		} else if len(e.Message) > 1000 {
			t.Errorf("%v: a message of %d bytes", c.r, len(e.Message))
		}
	}
}

// TestSelection_ofPlaces has an image of 128×64 pixels, which covers the input from y = 16 to y = 48.
// The boxes are in pixels of the input, a half of those of the image.
func TestSelection_ofPlaces(t *testing.T) {
	objects := []object{
		cat(0, 16, 16, 32, 0.9),  // centre (16, 16) in the image
		cat(44, 16, 64, 24, 0.8), // (108, 8)
		cat(48, 40, 52, 48, 0.7), // (100, 56), 8×16 pixels
	}
	const (
		first  = "cat/0 0.90: 0.0 0.0 32.0 32.0"
		second = "cat/0 0.80: 88.0 0.0 128.0 16.0"
		third  = "cat/0 0.70: 96.0 48.0 104.0 64.0"
	)
	for name, c := range map[string]struct {
		r    *request
		want []string
	}{
		"in pixels":       {&request{Regions: []*region{{X1: 90, X2: 128, Y2: 64}}}, []string{second, third}},
		"in fractions":    {&request{Regions: []*region{{Y1: 0.5, X2: 1, Y2: 1, Fractions: true}}}, []string{third}},
		"in one of two":   {&request{Regions: []*region{{X2: 17, Y2: 17}, {X1: 100, Y1: 56, X2: 101, Y2: 57}}}, []string{first, third}},
		"centre outside":  {&request{Regions: []*region{{X2: 15, Y2: 64}}}, nil},
		"beyond the edge": {&request{Regions: []*region{{X1: -9, Y1: -9, X2: 999, Y2: 20}}}, []string{first, second}},
		"width":           {&request{MinSize: 8.5}, []string{first, second}},
		"height":          {&request{MinSize: 16.5}, []string{first}},
		"exact size":      {&request{MinSize: 8}, []string{first, second, third}},
		"maximum of those that pass all": {
			&request{MaxDetections: 1, MinSize: 4, Regions: []*region{{Y1: 32, X2: 128, Y2: 64}}}, []string{third}},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, detectConstant(t, v8(objects...), greyImage(t, 128, 64), c.r), c.want...)
		})
	}
}

// TestSelection_ofPlacesIsAfterSuppression: a box outside a region suppresses a less certain one of the
// same object inside.
func TestSelection_ofPlacesIsAfterSuppression(t *testing.T) {
	output := v8(cat(0, 0, 20, 20, 0.9), cat(1, 0, 22, 20, 0.8), cat(40, 0, 60, 20, 0.7))
	r := &request{Regions: []*region{{X1: 11, X2: 64, Y2: 64}}}
	expect(t, detectConstant(t, output, greyImage(t, side, side), r), "cat/0 0.70: 40.0 0.0 60.0 20.0")
}
