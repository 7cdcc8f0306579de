package presets_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"imageflow.dev/internal/presets"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const file = `
presets:
  card: &card
    resize:
      target_width: 640
      target_height: 360
      fit: FIT_COVER
      maintain_aspect_ratio: false
      encoding: {quality: 80, progressive: true}
      output_image: {content_type: image/webp}
  mugs:
    detect: {classes: [mug, cup], class_thresholds: {mug: 0.7}, confidence_threshold: 0.4}
pipelines:
  avatar:
    - resize: {preset: card, target_width: 64, target_height: 64}
    - filter: {filter_type: FILTER_TYPE_SHARPEN, intensity: 1}
`

func parse(t *testing.T, text string) *presets.Set {
	t.Helper()
	s, err := presets.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestExpand: what a request has overrides the preset.
func TestExpand(t *testing.T) {
	s := parse(t, file)
	for _, c := range []struct {
		req        proto.Message
		json, want string
	}{
		{&imageflowv1.ResizeRequest{}, `{"target_width":5}`, `{"target_width":5}`},
		{&imageflowv1.ResizeRequest{}, `{"preset":"card"}`, `{"target_width":640,"target_height":360,"fit":"FIT_COVER",` +
			`"encoding":{"quality":80,"progressive":true},"output_image":{"content_type":"image/webp"}}`},
		{&imageflowv1.ResizeRequest{}, `{"preset":"card","target_width":320,"fit":"FIT_CONTAIN",` +
			`"encoding":{"quality":60,"progressive":false},"input_image":{"object_key":"a.jpg"},"output_image":{"bucket":"b"}}`,
			`{"target_width":320,"target_height":360,"fit":"FIT_CONTAIN","encoding":{"quality":60,"progressive":true},` +
				`"input_image":{"object_key":"a.jpg"},"output_image":{"bucket":"b","content_type":"image/webp"}}`},
		{&imageflowv1.DetectionRequest{}, `{"preset":"mugs","classes":["bottle"],"class_thresholds":{"bottle":0.1}}`,
			`{"classes":["bottle"],"class_thresholds":{"bottle":0.1},"confidence_threshold":0.4}`},
	} {
		want := proto.Clone(c.req)
		if err := protojson.Unmarshal([]byte(c.want), want); err != nil {
			t.Fatal(err)
		}
		if err := protojson.Unmarshal([]byte(c.json), c.req); err != nil {
			t.Fatal(err)
		}
		before := proto.Clone(c.req)
		for range 2 { // the preset stays as it is
			if got, err := s.Expand(c.req); err != nil || !proto.Equal(got, want) {
				t.Errorf("%s became %v, %v", c.json, got, err)
			}
		}
		if !proto.Equal(c.req, before) {
			t.Errorf("the request changed to %v", c.req)
		}
	}
}

func TestExpand_unknown(t *testing.T) {
	s := parse(t, file)
	for _, c := range []struct {
		set  *presets.Set
		req  proto.Message
		want string
	}{
		{s, &imageflowv1.ResizeRequest{Preset: "cord"}, `there is no "cord"; the presets of resize are card`},
		{s, &imageflowv1.ResizeRequest{Preset: "mugs"}, `"mugs" is of detect, not of resize`},
		{s, &imageflowv1.FilterRequest{Preset: "x"}, `PRESETS_FILE has no presets of filter`},
		{nil, &imageflowv1.ResizeRequest{Preset: "card"}, `PRESETS_FILE has no presets of resize`},
	} {
		if _, err := c.set.Expand(c.req); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %s", c.req, err, c.want)
		}
	}
	var many strings.Builder
	many.WriteString("presets:\n")
	for i := range 1000 {
		fmt.Fprintf(&many, "  p%d: {resize: {target_width: 1}}\n", i)
	}
	_, err := parse(t, many.String()).Expand(&imageflowv1.ResizeRequest{Preset: "no"})
	if err == nil || len(err.Error()) > 300 || !strings.Contains(err.Error(), "and 980 more") {
		t.Errorf("among 1000: %v", err)
	}
}

func TestPipeline(t *testing.T) {
	s := parse(t, file)
	steps, err := s.Pipeline("avatar")
	if err != nil {
		t.Fatal(err)
	}
	first := steps[0].GetResize()
	if len(steps) != 2 || first.GetTargetWidth() != 64 || first.GetFit() != imageflowv1.Fit_FIT_COVER || first.GetPreset() != "" ||
		steps[1].GetFilter().GetIntensity() != 1 {
		t.Errorf("the steps are %v", steps)
	}
	if _, err := s.Pipeline("avatars"); err == nil || !strings.Contains(err.Error(), "the pipelines are avatar") {
		t.Errorf("another name: %v", err)
	}
	list := s.List()
	if len(list.GetPresets()) != 2 || list.GetPresets()[0].GetName() != "card" ||
		list.GetPipelines()[0].GetSteps()[0].GetResize().GetPreset() != "card" {
		t.Errorf("the list is %v", list)
	}
	places := ""
	for place := range s.Requests("resize") {
		places += place + "; "
	}
	if places != "preset card; pipeline avatar: step 1; " {
		t.Errorf("places %q", places)
	}
}

// TestParse_outputs: no step of a pipeline would replace an output of another, and no variant is reserved.
func TestParse_outputs(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"pipelines:\n  a:\n    - resize: {target_width: 9, variant: x}\n    - resize: {target_width: 8, variant: x}",
			`pipeline a: steps[1].resize.variant: has the variant "x", as steps[0] has, and would replace its output`},
		{"pipelines:\n  a:\n    - resize: {target_width: 9, variant: get-0123456789abcdef01234567}",
			"pipeline a: steps[0].resize.variant: "},
		{"presets:\n  p: {resize: {target_width: 9, renditions: [{variant: get-0123456789abcdef01234567, target_width: 8}]}}",
			"preset p: steps[0].resize.renditions[0].variant: "},
	} {
		if _, err := presets.Parse([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\n%v, want %s", c.text, err, c.want)
		}
	}
}

var parseErrors = []struct{ text, want string }{
	{"presets: {card: {resize: {target_width: wide}}}", `line 1: preset card: resize: target_width: not a valid int32`},
	{"presets:\n  a:\n    resize:\n      target_width: 1\n      heigth: 3", `line 5: preset a: resize: heigth: no such`},
	{"presets:\n  a:\n    resize:\n      target_height: 3\n      target_width: 99999", `line 5: preset a: resize: target_width: `},
	{"presets:\n  card:\n    resize: {fit: FIT_BEST, target_width: 1}",
		`line 3: preset card: resize: fit: "FIT_BEST" is not one of contain,`},
	{"presets:\n  card:\n    resize: {encoding: {chroma: 422}, target_width: 1}",
		`resize: encoding.chroma: "422" is not one of 420, 444`},
	{"presets:\n  card:\n    resize: {trim: {tolerance: x}, target_width: 1}",
		`line 3: preset card: resize: trim.tolerance: not a valid`},
	{"presets:\n  card:\n    resize: {}", "line 3: preset card: resize: target_width and target_height: at least one"},
	{"presets:\n  card: {scale: {}}", `line 2: preset card: there is no processor "scale"`},
	{"presets:\n  card: {resize: {target_width: 1}, detect: {}}", "line 2: preset card: must have one processor"},
	{"presets:\n  card: {}", "line 2: preset card: must have one processor"},
	{"presets:\n  Card: {}", `line 2: the name "Card"`},
	{"presets:\n  a: {detect: {}}\n  a: {detect: {}}", `line 3: "a" is there twice`},
	{"presets:\n  a:\n    detect: {input_bytes: eA==}", "line 3: preset a: detect: input_bytes: not allowed"},
	{"presets:\n  a:\n    detect: {variant: b}", "line 3: preset a: detect: variant: not allowed"},
	{"presets:\n  a:\n    resize: {preset: b, target_width: 1}", "line 3: preset a: resize: preset: not allowed"},
	{"presets:\n  a:\n    resize: {target_width: 1, output_image: {bucket: b}}", "output_image.bucket: not allowed"},
	{"presets:\n  a:\n    detect: {class_thresholds: {1: 0.5}}", "line 3: preset a: detect: class_thresholds: not JSON"},
	{"pipelines:\n  a:\n    - resize: {preset: b}", `line 3: pipeline a: step 1: resize: preset: there is no "b"`},
	{"pipelines:\n  a:\n    - detect: {}\n    - resize: {target_width: -1}", "line 4: pipeline a: step 2: resize: target_width: "},
	{"pipelines:\n  a:\n    - detect: {execution_id: x}", "line 3: pipeline a: step 1: the pipeline sets"},
	{"pipelines:\n  a: []", "line 2: pipeline a: must be a list of 1 to 16 steps"},
	{"presets:\n  p: {filter: {filter_type: FILTER_TYPE_FILL, redaction: {detected: true}}}\npipelines:\n" +
		"  a: [{detect: {}}, {detect: {variant: b}}, {filter: {preset: p}}]",
		"line 4: pipeline a: steps[2].filter.redaction.detected: steps[0] and steps[1] detect"},
	{"preset: {}", `line 1: "preset" is neither presets nor pipelines`},
	{"presets:\n---\npresets:", "more than one document"}, {"presets:\n---\n[", "more than one document"},
	{"- a", "line 1: must have names"}, {"presets: [", "line 1: "},
	{"presets: {a: {resize: {target_width: -1}}, b: {resize: {target_width: -2}}}", "preset b"},
	{strings.Repeat("#", 1<<20+1), "more than 1048576 bytes"},
}

// TestParse_errors: each error has the line and says what is wrong.
func TestParse_errors(t *testing.T) {
	for _, c := range parseErrors {
		if _, err := presets.Parse([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.200s\n%v, want %s", c.text, err, c.want)
		}
	}
	for _, empty := range []string{"", "# none\n", "presets:\npipelines:\n"} {
		if s := parse(t, empty); len(s.List().GetPresets()) != 0 {
			t.Errorf("%q has presets", empty)
		}
	}
}
