package resize_test

import (
	"math"
	"strings"
	"testing"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// ruleCases have a part of the error, which is empty for a valid request.
var ruleCases = map[string]struct {
	r    *request
	want string
}{
	"nothing to do":              {&request{}, "target_width"},
	"a crop alone":               {&request{Crop: part(0, 0, 1, 1)}, ""},
	"a rotation alone":           {&request{Rotate: 270}, ""},
	"rotation by 45":             {&request{TargetWidth: 9, Rotate: 45}, "rotate"},
	"rotation by -90":            {&request{TargetWidth: 9, Rotate: -90}, "rotate"},
	"unknown fit":                {&request{TargetWidth: 9, Fit: 5}, "fit"},
	"unknown gravity":            {square(cover, nil, 99), "gravity"},
	"unknown flip":               {&request{TargetWidth: 9, Flip: 3}, "flip"},
	"cover of one side":          {&request{TargetWidth: 9, Fit: cover}, "fit"},
	"pad of one side":            {&request{TargetHeight: 9, Fit: pad}, "fit"},
	"fill with aspect ratio":     {&request{TargetWidth: 9, Fit: fill, MaintainAspectRatio: true}, "fit"},
	"contain with aspect ratio":  {&request{TargetWidth: 9, Fit: contain, MaintainAspectRatio: true}, ""},
	"gravity without a fit":      {&request{TargetWidth: 9, TargetHeight: 9, Gravity: imageflowv1.Gravity_GRAVITY_TOP}, "gravity"},
	"gravity of contain":         {square(contain, nil, imageflowv1.Gravity_GRAVITY_TOP), "gravity"},
	"gravity of pad":             {square(pad, nil, imageflowv1.Gravity_GRAVITY_TOP), ""},
	"attention of pad":           {square(pad, nil, imageflowv1.Gravity_GRAVITY_ATTENTION), "gravity"},
	"attention of cover":         {square(cover, nil, imageflowv1.Gravity_GRAVITY_ATTENTION), ""},
	"focal point of pad":         {square(pad, focus(0, 0), 0), "focal_point"},
	"focal point of cover":       {square(cover, focus(0, 1), 0), ""},
	"focal point outside":        {square(cover, focus(0, 1.1), 0), "focal_point.y"},
	"focal point nowhere":        {square(cover, focus(math.NaN(), 0), 0), "focal_point.x"},
	"focal point and gravity":    {square(cover, focus(0, 0), imageflowv1.Gravity_GRAVITY_TOP), "focal_point"},
	"crop of nothing":            {&request{Crop: part(0, 0, 0, 1)}, "crop.width"},
	"crop from before the image": {&request{Crop: part(-1, 0, 2, 1)}, "crop.left"},
	"crop of NaN":                {&request{Crop: part(0, 0, 2, math.NaN())}, "crop.height"},
	"crop to infinity":           {&request{Crop: part(0, 0, math.Inf(1), 2)}, "crop.width"},
	"crop from NaN":              {&request{Crop: part(0, math.NaN(), 2, 2)}, "crop.top"},
	"crop of too many fractions": {&request{Crop: &imageflowv1.Crop{Left: 0.5, Width: 0.6, Height: 1, Fractions: true}}, "crop"},
	"a crop after alone":         {&request{CropAfter: part(0, 0, 1, 1)}, ""},
	"crop after from NaN":        {&request{CropAfter: part(0, math.NaN(), 2, 2)}, "crop_after.top"},
	"extend alone":               {&request{Extend: &imageflowv1.Extend{Left: 16383}}, ""},
	"extend by too much":         {&request{Extend: &imageflowv1.Extend{Top: 16384}}, "extend.top"},
	"extend by less than 0":      {&request{Extend: &imageflowv1.Extend{Right: -1}}, "extend.right"},
	"trim alone":                 {&request{Trim: &imageflowv1.Trim{Color: "#ffFF00"}}, ""},
	"trim of a wrong colour":     {&request{Trim: &imageflowv1.Trim{Color: "ffff0"}}, "trim.color"},
	"trim with a tolerance":      {&request{Trim: &imageflowv1.Trim{Tolerance: proto.Int32(256)}}, "trim.tolerance"},
	"trim and enlarge one side":  {&request{TargetWidth: 9, Enlarge: true, Trim: &imageflowv1.Trim{}}, "trim"},
	"trim and enlarge":           {&request{TargetWidth: 9, TargetHeight: 9, Enlarge: true, Trim: &imageflowv1.Trim{}}, ""},
	"an angle alone":             {&request{Angle: -0.5}, ""},
	"an angle of 181":            {&request{Angle: 181}, "angle"},
	"an angle of NaN":            {&request{Angle: math.NaN()}, "angle"},
	"objects without a use":      {&request{TargetWidth: 9, Objects: &imageflowv1.Objects{}}, "objects"},
	"gravity without objects":    {square(cover, nil, objects), "objects"},
	"objects of pad":             {square(pad, nil, objects), "gravity"},
	"object crop alone":          {toObjects(imageflowv1.ObjectCrop_OBJECT_CROP_ALL, nil), ""},
	"unknown object crop":        {toObjects(3, nil), "object_crop"},
	"classes of given boxes":     {toObjects(1, &imageflowv1.Objects{Classes: []string{"cat"}}), "classes"},
	"two sources of objects":     {toObjects(1, &imageflowv1.Objects{Detected: true, Detections: someImage}), "detections"},
	"detections with no key":     {toObjects(1, &imageflowv1.Objects{Detections: &imageflowv1.ImageData{}}), "object_key"},
	"an empty box":               {toObjects(1, &imageflowv1.Objects{Boxes: []*imageflowv1.BoundingBox{{}}}), "boxes"},
	"dpr of NaN":                 {&request{TargetWidth: 9, Dpr: math.NaN()}, "dpr"},
	"dpr below 0":                {&request{TargetWidth: 9, Dpr: -1}, "dpr"},
	"dpr of 9":                   {&request{TargetWidth: 9, Dpr: 9}, "dpr"},
}

var someImage = &imageflowv1.ImageData{ObjectKey: "x.json"}

// square returns a request with two targets.
func square(fit imageflowv1.Fit, f *imageflowv1.FocalPoint, g imageflowv1.Gravity) *request {
	return &request{TargetWidth: 9, TargetHeight: 9, Fit: fit, FocalPoint: f, Gravity: g}
}

// TestRules: the error of an invalid request names the field.
func TestRules(t *testing.T) {
	for name, c := range ruleCases {
		c.r.InputBytes = []byte{1}
		err := protovalidate.Validate(c.r)
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}
