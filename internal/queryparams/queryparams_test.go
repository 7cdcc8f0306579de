package queryparams_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"imageflow.dev/internal/queryparams"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

func TestRead(t *testing.T) {
	got := &imageflowv1.FilterRequest{ExecutionId: "stays"}
	err := queryparams.Read(got, url.Values{
		"filterType": {"FILTER_TYPE_SHARPEN"}, "intensity": {"0.5"}, "parameters[sigma]": {"2"},
		"output_image.content_type": {"image/png"},
	})
	want := &imageflowv1.FilterRequest{
		ExecutionId: "stays", FilterType: imageflowv1.FilterType_FILTER_TYPE_SHARPEN, Intensity: 0.5,
		Parameters: map[string]string{"sigma": "2"}, OutputImage: &imageflowv1.ImageData{ContentType: "image/png"},
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); err != nil || diff != "" {
		t.Errorf("error %v; (-want +got):\n%s", err, diff)
	}
}

// TestRead_messages: lists of strings are repeated, maps have their keys in the name, messages are JSON.
func TestRead_messages(t *testing.T) {
	got := &imageflowv1.DetectionRequest{}
	err := queryparams.Read(got, url.Values{
		"classes": {"cat", "3"}, "class_thresholds[cat]": {"0.5"}, "encoding": {`{"quality": 70}`},
		"regions": {`{"x2":1,"y2":0.5,"fractions":true}`, `[{"x2":7,"y2":8},{"x2":9,"y2":10}]`},
	})
	want := &imageflowv1.DetectionRequest{
		Classes: []string{"cat", "3"}, ClassThresholds: map[string]float32{"cat": 0.5}, Encoding: &imageflowv1.Encoding{Quality: 70},
		Regions: []*imageflowv1.Region{{X2: 1, Y2: 0.5, Fractions: true}, {X2: 7, Y2: 8}, {X2: 9, Y2: 10}},
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); err != nil || diff != "" {
		t.Errorf("error %v; (-want +got):\n%s", err, diff)
	}
	for _, text := range []string{
		`{"x9":1}`, `{"x1":1`, "7", "", "[7]",
		`{},"model_name":"other"`, `{}],"model_name":"other","regions":[{}`, `[{}],"model_name":"other"`,
	} {
		var bad *queryparams.Error
		r := &imageflowv1.DetectionRequest{}
		err := queryparams.Read(r, url.Values{"regions": {text}})
		if !errors.As(err, &bad) || !strings.HasPrefix(bad.Name, "regions") || r.GetModelName() != "" {
			t.Errorf("%s: %v, want an error of regions", text, err)
		}
	}
}

// TestRead_items: the items of a list whose messages have a variant are also given field by field.
func TestRead_items(t *testing.T) {
	got := &imageflowv1.ResizeRequest{}
	err := queryparams.Read(got, url.Values{
		"target_width": {"1600"}, "renditions.thumb.target_width": {"150"}, "renditions.thumb.fit": {"FIT_CONTAIN"},
		"renditions.large-2.targetHeight": {"900"}, "renditions.large-2.encoding.quality": {"70"},
		"renditions.web.encoding": {`{"quality":60}`},
	})
	want := &imageflowv1.ResizeRequest{TargetWidth: 1600, Renditions: []*imageflowv1.Rendition{
		{Variant: "large-2", TargetHeight: 900, Encoding: &imageflowv1.Encoding{Quality: 70}},
		{Variant: "thumb", TargetWidth: 150, Fit: imageflowv1.Fit_FIT_CONTAIN},
		{Variant: "web", Encoding: &imageflowv1.Encoding{Quality: 60}},
	}}
	if diff := cmp.Diff(want, got, protocmp.Transform()); err != nil || diff != "" {
		t.Errorf("error %v; (-want +got):\n%s", err, diff)
	}
	for name, value := range map[string]string{
		"renditions.thumb.width": "1", "renditions.thumb": "1", "renditions.thumb.target_width": "wide",
		"renditions.": "1", "renditions..": "1",
		"renditions.thumb.encoding.speed": "fast", "renditions.\xff.target_width": "1",
	} {
		var bad *queryparams.Error
		err := queryparams.Read(&imageflowv1.ResizeRequest{}, url.Values{name: {value}})
		if !errors.As(err, &bad) || !strings.HasPrefix(strings.Trim(bad.Name, `"`), "renditions.") {
			t.Errorf("%s: %v, want an error that names it", name, err)
		}
	}
}

func TestRead_namesFirstWrongParameter(t *testing.T) {
	for name, values := range map[string]url.Values{
		"intensty":              {"intensty": {"1"}, "x": {"1"}},
		"intensity":             {"intensity": {"much"}},
		"execution_id":          {"execution_id": {"a\xff"}},
		"intensity.x":           {"intensity.x": {"1"}},
		"output_image.key":      {"output_image.key": {"a"}},
		"filter_type":           {"filter_type": {"SHARP"}, "intensity": {"1"}},
		"encoding[0].quality":   {"encoding[0].quality": {"1"}},
		"parameters[sigma].x":   {"parameters[sigma].x": {"1"}},
		"redaction.boxes[0].x1": {"redaction.boxes[0].x1": {"1"}},
		"output_image.width[1]": {"output_image.width[1]": {"1"}},
		"":                      {"filter_type": {"1"}, "filterType": {"2"}},
	} {
		var bad *queryparams.Error
		if err := queryparams.Read(&imageflowv1.FilterRequest{}, values); !errors.As(err, &bad) || bad.Name != name {
			t.Errorf("%v: %v, want an error of %q", values, err, name)
		}
	}
	err := queryparams.Read(&imageflowv1.ListExecutionsRequest{}, url.Values{"since": {"noon"}})
	if err == nil || err.Error() != "since: not a time of RFC 3339, such as 2026-11-29T03:00:00Z" {
		t.Errorf("a time that is none: %v", err)
	}
}
