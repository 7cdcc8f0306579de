package resize_test

import (
	"image"
	"math"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/functions"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const (
	objects       = imageflowv1.Gravity_GRAVITY_OBJECTS
	toAll         = imageflowv1.ObjectCrop_OBJECT_CROP_ALL
	mostConfident = imageflowv1.ObjectCrop_OBJECT_CROP_MOST_CONFIDENT
)

var rect = image.Rect

func toObjects(crop imageflowv1.ObjectCrop, o *imageflowv1.Objects) *request {
	if o == nil {
		o = &imageflowv1.Objects{}
	}
	return &request{Objects: o, ObjectCrop: crop}
}

func boxes(all ...image.Rectangle) *imageflowv1.Objects {
	o := &imageflowv1.Objects{}
	for _, r := range all {
		o.Boxes = append(o.Boxes, functions.BoxOf(r))
	}
	return o
}

// coverObjects returns a request for 60 × 60 pixels, 200 × 200 of an image of 300 × 200.
func coverObjects(o *imageflowv1.Objects) *request {
	return &request{TargetWidth: 60, TargetHeight: 60, Fit: cover, Gravity: objects, Objects: o}
}

// objectCases are for an image of 300 × 200 pixels. sideCar is what objects.detections refers to.
var objectCases = map[string]struct {
	r       *request
	sideCar *imageflowv1.DetectionResponse
	want    image.Rectangle
}{
	"in the middle":  {r: coverObjects(boxes(rect(60, 0, 100, 20), rect(180, 90, 200, 99))), want: rect(30, 0, 230, 200)},
	"at the edge":    {r: coverObjects(boxes(rect(250, 0, 270, 20))), want: rect(100, 0, 300, 200)},
	"the larger one": {r: coverObjects(boxes(rect(0, 0, 40, 40), rect(240, 0, 300, 60))), want: rect(100, 0, 300, 200)},
	"none":           {r: coverObjects(boxes(rect(300, 0, 340, 40))), want: rect(50, 0, 250, 200)},
	"a flipped image": {
		r: &request{TargetWidth: 200, TargetHeight: 200, Fit: cover, Gravity: objects, Objects: boxes(rect(0, 0, 9, 9)),
			Flip: imageflowv1.Flip_FLIP_HORIZONTAL},
		want: rect(0, 0, 200, 200),
	},
	"the more confident one": {
		r: coverObjects(nil), sideCar: found(0.9, rect(0, 0, 40, 40), 0.3, rect(250, 0, 300, 50)),
		want: rect(0, 0, 200, 200),
	},
	"a crop to all":  {r: toObjects(toAll, boxes(rect(20, 30, 40, 50), rect(100, 90, 130, 400))), want: rect(20, 30, 130, 200)},
	"a crop of none": {r: toObjects(toAll, boxes(rect(300, 0, 340, 40))), want: rect(0, 0, 300, 200)},
	"a crop to all in a crop": {
		r: &request{Crop: part(30, 0, 70, 200), ObjectCrop: toAll,
			Objects: boxes(rect(20, 30, 40, 50), rect(90, 90, 200, 120)),
		},
		want: rect(30, 30, 100, 120),
	},
	"a crop to the most confident one": {
		r: toObjects(mostConfident, nil), sideCar: found(0.8, rect(0, 0, 40, 40), 0.9, rect(100, 50, 200, 100)),
		want: rect(100, 50, 200, 100),
	},
	"a crop to one of a class, with a margin": {
		r:       toObjects(mostConfident, &imageflowv1.Objects{Classes: []string{"0"}, Margin: 0.5}),
		sideCar: found(0.8, rect(20, 20, 40, 40), 0.9, rect(100, 50, 200, 100)), want: rect(10, 10, 50, 50),
	},
	"from a resize to the original": {
		r: toObjects(toAll, nil), sideCar: of(found(0.8, rect(20, 20, 40, 40), 0, image.Rectangle{}), 150, 100, 300, 200),
		want: rect(20, 20, 40, 40),
	},
	"from the original to the resize": {
		r: toObjects(toAll, nil), sideCar: of(found(0.8, rect(20, 20, 40, 40), 0, image.Rectangle{}), 300, 200, 600, 400),
		want: rect(10, 10, 20, 20),
	},
}

// found returns the detection of an object of class 0, and of one of class 1, in 300 × 200 pixels.
func found(a float32, first image.Rectangle, b float32, second image.Rectangle) *imageflowv1.DetectionResponse {
	return &imageflowv1.DetectionResponse{
		Detections: []*imageflowv1.Detection{
			{ClassName: "cat", Confidence: a, Bbox: functions.BoxOf(first)},
			{ClassName: "dog", ClassId: 1, Confidence: b, Bbox: functions.BoxOf(second)},
		},
		Metadata: &imageflowv1.DetectionMetadata{ImageWidth: 300, ImageHeight: 200},
	}
}

// of sets the size of the image and of the original of a detection.
func of(r *imageflowv1.DetectionResponse, width, height, originalWidth, originalHeight int32) *imageflowv1.DetectionResponse {
	scale := float64(originalWidth) / float64(width)
	r.Metadata = &imageflowv1.DetectionMetadata{
		ImageWidth: width, ImageHeight: height, OriginalWidth: originalWidth, OriginalHeight: originalHeight,
		OriginalFromImage: &imageflowv1.AffineMap{Xx: scale, Yy: scale},
	}
	return r
}

func TestObjects(t *testing.T) {
	for name, c := range objectCases {
		t.Run(name, func(t *testing.T) {
			in := functions.Input{Image: encoded(t, gradient(300, 200), imaging.PNG), Format: imaging.PNG}
			if c.sideCar != nil {
				c.r.Objects = &imageflowv1.Objects{
					Detections: &imageflowv1.ImageData{ObjectKey: "x.json"},
					Classes:    c.r.GetObjects().GetClasses(), Margin: c.r.GetObjects().GetMargin(),
				}
				in.Reference, _ = protojson.Marshal(c.sideCar)
			}
			out, resp, err := resize.Processor.Apply(t.Context(), c.r, in)
			if err != nil {
				t.Fatal(err)
			}
			toOriginal := mapping(resp.(*imageflowv1.ResizeResponse).GetMetadata())
			x1, y1 := toOriginal(0, 0)
			x2, y2 := toOriginal(float64(out.Width), float64(out.Height))
			if got := rect(int(x1), int(y1), int(x2), int(y2)); got != c.want {
				t.Errorf("the output shows %v, want %v", got, c.want)
			}
		})
	}
}

// A call for an object that is not there fails if the request says so, and one for the objects of a
// detection needs an image that has one.
func TestObjects_refusals(t *testing.T) {
	in := functions.Input{Image: encoded(t, gradient(300, 200), imaging.PNG), Format: imaging.PNG}
	none := toObjects(toAll, &imageflowv1.Objects{OnNone: imageflowv1.OnNone_ON_NONE_FAIL})
	_, _, err := resize.Processor.Apply(t.Context(), none, in)
	checkInvalid(t, err, "objects.on_none")
	ofClass := &request{ObjectCrop: toAll, Objects: &imageflowv1.Objects{
		Detections: &imageflowv1.ImageData{ObjectKey: "x.json"}, Classes: []string{"cats"},
	}}
	sideCar := found(0.9, rect(0, 0, 40, 40), 0.3, rect(250, 0, 300, 50))
	sideCar.Metadata.ClassNames = map[int32]string{0: "cat", 1: "dog"}
	in.Reference, _ = protojson.Marshal(sideCar)
	_, _, err = resize.Processor.Apply(t.Context(), ofClass, in)
	checkInvalid(t, err, "objects.classes[0]")
	in.Reference = nil
	detected := toObjects(toAll, &imageflowv1.Objects{Detected: true})
	_, _, err = resize.Processor.Apply(t.Context(), detected, in) // without a side-car
	checkInvalid(t, err, "objects.detected")
	detected.InputBytes = []byte{1}
	checkInvalid(t, resize.Processor.Check(detected), "objects.detected")
}

func checkInvalid(t *testing.T, err error, field string) {
	t.Helper()
	if e := functions.AsError(err); err == nil || e.Kind != functions.Invalid || e.Field != field {
		t.Errorf("got %v, want Invalid for %s", err, field)
	}
}

// keepMost keeps as much as any of many places, and is closest to the middle of all spans.
func TestKeepMost(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		const side = 100
		length := 1 + float64(random.IntN(side))
		var spans [][3]float64
		first, last := float64(side), 0.0
		for range 1 + random.IntN(6) {
			begin := float64(random.IntN(side))
			end := begin + 1 + float64(random.IntN(side-int(begin)))
			spans = append(spans, [3]float64{begin, end, float64(random.IntN(4)) / 3})
			first, last = min(first, begin), max(last, end)
		}
		kept := func(at float64) (sum float64) {
			for _, s := range spans {
				sum += s[2] * max(0, min(s[1], at+length)-max(s[0], at))
			}
			return sum
		}
		off := func(at float64) float64 { return math.Abs(at + length/2 - (first+last)/2) }
		got := resize.KeepMost(spans, length, side)
		for at := 0.0; at <= side-length; at += 0.5 {
			more := kept(at) - kept(got)
			if more > 1e-9 || more > -1e-9 && off(at) < off(got)-1e-9 {
				t.Fatalf("%v: at %g it keeps %g, at %g %g", spans, got, kept(got), at, kept(at))
			}
		}
	}
}

// addObjects adds objects at random to a request with GRAVITY_OBJECTS, and to others.
func addObjects(r *request, random *rand.Rand, width, height int) {
	if r.Gravity != objects && random.IntN(4) > 0 {
		return
	}
	r.ObjectCrop = imageflowv1.ObjectCrop(random.IntN(3))
	if r.Gravity != objects && r.ObjectCrop == 0 {
		r.ObjectCrop = toAll
	}
	r.Objects = &imageflowv1.Objects{Margin: random.Float64() / 4}
	for range random.IntN(4) {
		x, y := random.IntN(width-20), random.IntN(height-20)
		at := rect(x, y, x+20+random.IntN(width-20-x+1), y+20+random.IntN(height-20-y+1))
		r.Objects.Boxes = append(r.Objects.Boxes, functions.BoxOf(at))
	}
}

// aroundObjects returns the part around the given boxes of a request, with their margins.
func aroundObjects(r *request, part image.Rectangle) (around image.Rectangle) {
	margin := r.GetObjects().GetMargin()
	for _, b := range r.GetObjects().GetBoxes() {
		x1, y1, x2, y2 := float64(b.GetX1()), float64(b.GetY1()), float64(b.GetX2()), float64(b.GetY2())
		across, down := margin*(x2-x1), margin*(y2-y1)
		at := rect(int(math.Floor(x1-across)), int(math.Floor(y1-down)), int(math.Ceil(x2+across)), int(math.Ceil(y2+down)))
		if at = at.Intersect(part); r.ObjectCrop == mostConfident && !at.Empty() {
			return at // all have the same confidence
		}
		around = around.Union(at)
	}
	if around.Empty() {
		return part
	}
	return around
}
