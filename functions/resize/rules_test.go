package resize_test

import (
	"math"
	"strings"
	"testing"

	"buf.build/go/protovalidate"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// TestRules names the field that a wrong request of the geometry is refused for.
func TestRules(t *testing.T) {
	gravity := imageflowv1.Gravity_GRAVITY_TOP
	for name, c := range map[string]struct {
		r    *request
		want string // in the error; empty for none
	}{
		"nothing to do":              {&request{}, "target_width"},
		"a crop alone":               {&request{Crop: part(0, 0, 1, 1)}, ""},
		"a rotation alone":           {&request{Rotate: 270}, ""},
		"rotation by 45":             {&request{TargetWidth: 9, Rotate: 45}, "rotate"},
		"rotation by -90":            {&request{TargetWidth: 9, Rotate: -90}, "rotate"},
		"unknown fit":                {&request{TargetWidth: 9, Fit: 5}, "fit"},
		"unknown gravity":            {&request{TargetWidth: 9, TargetHeight: 9, Fit: cover, Gravity: 99}, "gravity"},
		"unknown flip":               {&request{TargetWidth: 9, Flip: 3}, "flip"},
		"cover of one side":          {&request{TargetWidth: 9, Fit: cover}, "fit"},
		"pad of one side":            {&request{TargetHeight: 9, Fit: pad}, "fit"},
		"fill with aspect ratio":     {&request{TargetWidth: 9, Fit: fill, MaintainAspectRatio: true}, "fit"},
		"contain with aspect ratio":  {&request{TargetWidth: 9, Fit: contain, MaintainAspectRatio: true}, ""},
		"gravity without a fit":      {&request{TargetWidth: 9, TargetHeight: 9, Gravity: gravity}, "gravity"},
		"gravity of contain":         {&request{TargetWidth: 9, TargetHeight: 9, Fit: contain, Gravity: gravity}, "gravity"},
		"gravity of pad":             {&request{TargetWidth: 9, TargetHeight: 9, Fit: pad, Gravity: gravity}, ""},
		"focal point of pad":         {&request{TargetWidth: 9, TargetHeight: 9, Fit: pad, FocalPoint: focus(0, 0)}, "focal_point"},
		"focal point of cover":       {&request{TargetWidth: 9, TargetHeight: 9, Fit: cover, FocalPoint: focus(0, 1)}, ""},
		"focal point outside":        {&request{TargetWidth: 9, TargetHeight: 9, Fit: cover, FocalPoint: focus(0, 1.1)}, "focal_point.y"},
		"focal point nowhere":        {&request{TargetWidth: 9, TargetHeight: 9, Fit: cover, FocalPoint: focus(math.NaN(), 0)}, "focal_point.x"},
		"focal point and gravity":    {&request{TargetWidth: 9, TargetHeight: 9, Fit: cover, FocalPoint: focus(0, 0), Gravity: gravity}, "focal_point"},
		"crop of nothing":            {&request{Crop: part(0, 0, 0, 1)}, "crop.width"},
		"crop from before the image": {&request{Crop: part(-1, 0, 2, 1)}, "crop.left"},
		"crop of NaN":                {&request{Crop: part(0, 0, 2, math.NaN())}, "crop.height"},
		"crop to infinity":           {&request{Crop: part(0, 0, math.Inf(1), 2)}, "crop.width"},
		"crop from NaN":              {&request{Crop: part(0, math.NaN(), 2, 2)}, "crop.top"},
		"crop of too many fractions": {&request{Crop: &imageflowv1.Crop{Left: 0.5, Width: 0.6, Height: 1, Fractions: true}}, "crop"},
		"dpr of NaN":                 {&request{TargetWidth: 9, Dpr: math.NaN()}, "dpr"},
		"dpr below 0":                {&request{TargetWidth: 9, Dpr: -1}, "dpr"},
		"dpr of 9":                   {&request{TargetWidth: 9, Dpr: 9}, "dpr"},
	} {
		c.r.InputBytes = []byte{1}
		err := protovalidate.Validate(c.r)
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}
