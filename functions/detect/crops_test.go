package detect_test

import (
	"fmt"
	"image"
	"image/color"
	"strings"
	"testing"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/testing/onnx"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

type crops = imageflowv1.DetectionCrops

// twoObjects is a cat at 8, 16 to 24, 48 and a dog at 32, 8 to 64, 40 in the input of a model.
var twoObjects = []object{{8, 16, 24, 48, []float32{0.9, 0}}, {32, 8, 64, 40, []float32{0, 0.7}}}

// cutOut returns the response for an image of 128 × 128 pixels with other colours everywhere, turned by an
// orientation, and that image.
func cutOut(t *testing.T, r *request, orientation int, in functions.Input) (*response, *imaging.Pixels, error) {
	t.Helper()
	p, err := newProcessor(t, onnx.Always(input, v8(twoObjects...), metadata()))
	if err != nil {
		t.Fatal(err)
	}
	m := image.NewNRGBA(image.Rect(0, 0, 128, 128))
	for y := range 128 {
		for x := range 128 {
			m.SetNRGBA(x, y, color.NRGBA{uint8(2 * x), uint8(2 * y), uint8(x ^ y), 255})
		}
	}
	in.Image, in.Format = encoded(t, m), imaging.PNG
	in.Image.Orientation = orientation
	pixels, err := in.Image.Pixels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, resp, err := apply(t.Context(), p, r, in)
	return resp, pixels, err
}

// places describes crops: the index of the detection, the box, the size.
func places(r *response) string {
	var all []string
	for _, c := range r.GetCrops() {
		b := c.GetBox()
		all = append(all, fmt.Sprintf("%d: %g %g %g %g, %d×%d", c.GetDetection(), b.X1, b.Y1, b.X2, b.Y2, c.GetImage().GetWidth(),
			c.GetImage().GetHeight()))
	}
	return strings.Join(all, "; ")
}

var cropCases = map[string]struct {
	crops *crops
	want  string
}{
	"none":              {nil, ""},
	"all":               {&crops{}, "0: 16 32 48 96, 32×64; 1: 64 16 128 80, 64×64"},
	"one":               {&crops{MaxCount: 1}, "0: 16 32 48 96, 32×64"},
	"of a class":        {&crops{Classes: []string{"1"}, MaxCount: 1}, "1: 64 16 128 80, 64×64"},
	"with a margin":     {&crops{Classes: []string{"dog"}, Margin: 0.5}, "1: 32 0 128 112, 96×112"},
	"smaller":           {&crops{TargetWidth: 16, TargetHeight: 16}, "0: 16 32 48 96, 8×16; 1: 64 16 128 80, 16×16"},
	"never larger":      {&crops{TargetHeight: 4000}, "0: 16 32 48 96, 32×64; 1: 64 16 128 80, 64×64"},
	"less than a pixel": {&crops{TargetHeight: 1, MaxCount: 1}, "0: 16 32 48 96, 1×1"},
}

// Crops have exactly the pixels of the image where the objects are, in all orientations and also where
// boxes are drawn.
func TestCrops(t *testing.T) {
	for name, c := range cropCases {
		for orientation := 1; orientation <= 8; orientation++ {
			resp, pixels, err := cutOut(t, &request{Crops: c.crops, DrawBoxes: true}, orientation, functions.Input{})
			if err != nil {
				t.Fatal(err)
			}
			if got := places(resp); got != c.want {
				t.Errorf("%s, orientation %d: got %q, want %q", name, orientation, got, c.want)
			}
			for _, crop := range resp.GetCrops() {
				checkCut(t, crop, pixels)
			}
		}
	}
}

// checkCut compares a crop in the size of its box with the image.
func checkCut(t *testing.T, c *imageflowv1.DetectionCrop, from *imaging.Pixels) {
	t.Helper()
	got, err := open(t, c.GetData()).Pixels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	left, top := int(c.GetBox().GetX1()), int(c.GetBox().GetY1())
	if got.Width != int(c.GetBox().GetX2())-left {
		return // made smaller
	}
	for y := range got.Height {
		for x := range got.Width {
			a, b := got.Pix[(y*got.Width+x)*got.Channels:], from.Pix[((top+y)*from.Width+left+x)*from.Channels:]
			if [3]byte(a) != [3]byte(b) {
				t.Fatalf("pixel %d, %d of %v is %v, want %v", x, y, c.GetBox(), a[:3], b[:3])
			}
		}
	}
}

// With the side-car of a resize, boxes are in pixels of the original, and crops in those of the image.
func TestCrops_ofAResize(t *testing.T) {
	sideCar, err := protojson.Marshal(&imageflowv1.ResizeMetadata{
		OriginalWidth: 512, OriginalHeight: 512, OutputWidth: 128, OutputHeight: 128, ScaleFactorX: 0.25, ScaleFactorY: 0.25,
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &request{Crops: &crops{MaxCount: 1}, ResizeMetadataRef: &imageflowv1.ImageData{ObjectKey: "x_resize.json"}}
	resp, pixels, err := cutOut(t, r, 1, functions.Input{Reference: sideCar})
	if err != nil {
		t.Fatal(err)
	}
	if got := places(resp); got != "0: 16 32 48 96, 32×64" || resp.GetDetections()[0].GetBbox().GetX1() != 64 {
		t.Errorf("got %q of %v", got, resp.GetDetections())
	}
	checkCut(t, resp.GetCrops()[0], pixels)
}

// Crops that would need too much memory are an error that names the settings.
func TestCrops_areBounded(t *testing.T) {
	objects := make([]object, 8)
	for i := range objects {
		objects[i] = object{float32(i), 0, 64, 64, []float32{0.9, 0}}
	}
	p, err := newProcessor(t, onnx.Always(input, v8(objects...), metadata()))
	if err != nil {
		t.Fatal(err)
	}
	in := functions.Input{Image: greyImage(t, side, side), Format: imaging.PNG}
	_, _, err = apply(t.Context(), p, &request{NmsThreshold: 1, Crops: &crops{}}, in)
	if !isInvalid(err, "crops") || !strings.Contains(err.Error(), "crops.max_count") {
		t.Errorf("got %v, want Invalid for crops, and a way out", err)
	}
	if _, _, err = apply(t.Context(), p, &request{NmsThreshold: 1, Crops: &crops{TargetWidth: 32}}, in); err != nil {
		t.Error(err)
	}
}

// Crops are of one frame.
func TestCrops_rules(t *testing.T) {
	r := &request{InputBytes: []byte{1}, Crops: &crops{}}
	if err := protovalidate.Validate(r); err != nil {
		t.Error(err)
	}
	if r.Frames = 1; protovalidate.Validate(r) == nil {
		t.Error("crops of several frames are valid")
	}
}

func isInvalid(err error, field string) bool {
	e := functions.AsError(err)
	return err != nil && e.Kind == functions.Invalid && e.Field == field
}
