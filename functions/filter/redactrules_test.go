package filter_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/functions"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// refusals are the fields of redactions that would hide nothing by mistake.
var refusals = map[string]struct {
	r     *request
	field string
}{
	"pixelate without redaction":  {redacting(pixelate, nil), "redaction"},
	"redaction of another filter": {redacting(sharpen, someBox()), "redaction"},
	"an intensity":                {&request{FilterType: pixelate, Intensity: 1, Redaction: someBox()}, "intensity"},
	"a colour of a mosaic":        {redacting(pixelate, &imageflowv1.Redaction{Color: "000000"}), "redaction.color"},
	"nothing to hide": {
		redacting(fill, &imageflowv1.Redaction{OnNone: imageflowv1.OnNone_ON_NONE_FAIL}), "redaction.on_none",
	},
	"detected in bytes": {
		&request{FilterType: fill, InputBytes: []byte{1}, Redaction: &imageflowv1.Redaction{Detected: true}}, "redaction.detected",
	},
	"regions of 33 times the area": {redacting(fill, &imageflowv1.Redaction{
		Boxes: slices.Repeat([]*imageflowv1.BoundingBox{{X2: 40, Y2: 60}}, 33),
	}), "redaction"},
	"metadata with the original": {
		&request{FilterType: fill, Redaction: someBox(), Encoding: &imageflowv1.Encoding{Keep: imageflowv1.Keep_KEEP_ALL}},
		"encoding.keep",
	},
}

func someBox() *imageflowv1.Redaction {
	return &imageflowv1.Redaction{Boxes: []*imageflowv1.BoundingBox{{X2: 9, Y2: 9}}}
}

func TestRedaction_refusals(t *testing.T) {
	for name, c := range refusals {
		_, err := redactWith(t, c.r, nil)
		if !isInvalid(err, c.field) {
			t.Errorf("%s: got %v, want Invalid for %s", name, err, c.field)
		}
	}
}

func isInvalid(err error, field string) bool {
	var e *functions.Error
	return errors.As(err, &e) && e.Kind == functions.Invalid && e.Field == field
}

// Side-cars that do not say where their boxes are in this image are errors.
func TestRedaction_refusesSideCars(t *testing.T) {
	of := func(m *imageflowv1.DetectionMetadata) []byte {
		sideCar, err := protojson.Marshal(&imageflowv1.DetectionResponse{Metadata: m})
		if err != nil {
			t.Fatal(err)
		}
		return sideCar
	}
	r := &imageflowv1.Redaction{Detections: &imageflowv1.ImageData{ObjectKey: "x.json"}}
	for name, sideCar := range map[string][]byte{
		"not a side-car":   []byte(`{"no": 1}`),
		"of whole images":  []byte(`{"metadata":{"image_width":40,"image_height":60},"classifications":[{"class_name":"cat"}]}`),
		"without a size":   of(&imageflowv1.DetectionMetadata{}),
		"of another image": of(&imageflowv1.DetectionMetadata{ImageWidth: 9, ImageHeight: 9}),
		"with 600,000 detections": []byte(
			`{"metadata":{"imageWidth":40,"imageHeight":60},"detections":[` + strings.Repeat(`{},`, 600_000) + `{}]}`),
		"with a map to a point":   of(mapped(&imageflowv1.AffineMap{}, 1)),
		"of two images, one size": of(mapped(&imageflowv1.AffineMap{Xx: -1, X0: 40, Yy: 1}, 40)),
	} {
		if _, err := redactWith(t, redacting(fill, r), sideCar); !isInvalid(err, "redaction.detections") {
			t.Errorf("%s: got %v, want Invalid", name, err)
		}
	}
}

func TestRedaction_rules(t *testing.T) {
	for name, wrong := range map[string]*imageflowv1.Redaction{
		"two side-cars":      {Detections: &imageflowv1.ImageData{ObjectKey: "x.json"}, Detected: true},
		"no key":             {Detections: &imageflowv1.ImageData{Bucket: "b"}},
		"classes of nothing": {Classes: []string{"face"}},
		"x1 > x2":            {Boxes: []*imageflowv1.BoundingBox{{X1: 9, X2: 1, Y2: 9}}},
		"an empty box":       {Boxes: []*imageflowv1.BoundingBox{{}}},
		"not a number":       {Boxes: []*imageflowv1.BoundingBox{{X2: float32(math.NaN()), Y2: 9}}},
	} {
		if protovalidate.Validate(&request{FilterType: fill, InputBytes: []byte{1}, Redaction: wrong}) == nil {
			t.Errorf("%s: the request is valid", name)
		}
	}
}

// mapped returns the metadata of a detection in the image of redactWith, with an original.
func mapped(a *imageflowv1.AffineMap, originalWidth int32) *imageflowv1.DetectionMetadata {
	return &imageflowv1.DetectionMetadata{
		ImageWidth: 40, ImageHeight: 60, OriginalFromImage: a, OriginalWidth: originalWidth, OriginalHeight: 60,
	}
}
