package gateway_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Steps have names by their variants, and later steps inherit the variant.
func TestPipeline_variants(t *testing.T) {
	s := start(t)
	s.put(t, "in/cat.jpg", jpegOf(t, 400, 40))
	r := s.run(t, `{"input_image":{"object_key":"in/cat.jpg"},"steps":[{"resize":{"target_width":300}},
		{"resize":{"target_width":200}},
		{"resize":{"target_width":100,"variant":"small"}},{"filter":{"filter_type":"FILTER_TYPE_BLUR","intensity":1}},
		{"resize":{"target_width":50,"variant":"tiny"}}]}`)
	want := []string{"in/cat_resize.jpg", "in/cat_resize-2.jpg", "in/cat_resize-small.jpg", "in/cat_filter-small.jpg",
		"in/cat_resize-tiny.jpg"}
	for i, result := range results(r) {
		if got := result.GetOutputImage().GetObjectKey(); got != want[i] {
			t.Errorf("step %d wrote %q, want %q", i, got, want[i])
		}
	}
	if _, width := describe(t, s.get(t, "in/cat_filter-small.jpg")); width != 100 {
		t.Errorf("the filter got an image of width %d", width)
	}
}

// The detection that a step takes is the last one before it: two are an error, and each of two steps takes its own.
func TestPipeline_detections(t *testing.T) {
	s := start(t)
	s.put(t, "cat.jpg", jpegOf(t, 400, 40))
	const detect, hide = `{"detect":{}}`, `{"filter":{"filter_type":"FILTER_TYPE_FILL","redaction":{"detected":true}}}`
	with := func(steps ...string) string {
		return `{"input_image":{"object_key":"cat.jpg"},"steps":[` + strings.Join(steps, ",") + `]}`
	}
	resp, st := s.fail(t, with(detect, `{"resize":{"target_width":300}}`, detect, hide))
	if field, _ := details(st); resp.StatusCode != http.StatusBadRequest || field != "steps[3].filter.redaction.detected" ||
		!strings.Contains(st.Message(), "steps[0] and steps[2] detect") {
		t.Errorf("%d %q %v", resp.StatusCode, field, st)
	}
	// A redaction by a class that its detection did not look for fails.
	const detectOf, hideOf = `{"detect":{"classes":["%d"]}}`,
		`{"filter":{"filter_type":"FILTER_TYPE_FILL","redaction":{"detected":true,"classes":["%d"]}}}`
	s.run(t, fmt.Sprintf(with(detectOf, hideOf, detectOf, hideOf), 0, 0, 1, 1))
}

// Two steps that would write one name are refused before the first one runs.
func TestPipeline_sameVariantTwice(t *testing.T) {
	s := start(t)
	s.put(t, "cat.jpg", jpegOf(t, 400, 40))
	const twice = `"steps":[{"resize":{"target_width":300,"variant":"a"}},{"resize":{"target_width":200}}]`
	resp, st := s.fail(t, `{"input_image":{"object_key":"cat.jpg"},`+twice+`}`)
	if field, _ := details(st); resp.StatusCode != http.StatusBadRequest || field != "steps[1].resize.variant" ||
		!strings.Contains(st.Message(), "steps[0]") {
		t.Errorf("%d %q %v", resp.StatusCode, field, st)
	}
	const rendition = `{"resize":{"target_width":300,"renditions":[{"variant":"a","target_width":30}]}}`
	for second, want := range map[string]string{
		rendition: "steps[1].resize.renditions[0].variant", `{"resize":{"target_width":200,"variant":"a"}}`: "steps[1].resize.variant",
	} {
		_, st := s.fail(t, `{"input_image":{"object_key":"cat.jpg"},"steps":[`+rendition+","+second+`]}`)
		if field, _ := details(st); field != want || !strings.Contains(st.Message(), "steps[0]") {
			t.Errorf("%s: %q %v, want %s", second, field, st, want)
		}
	}
	if keys := s.keys(t); !slices.Equal(keys, []string{"cat.jpg"}) {
		t.Errorf("stored: %q", keys)
	}
	s.run(t, `{"input_image":{"object_key":"cat.jpg"},"output_image":{"object_key":"out.jpg"},`+twice+`}`)
	if keys := s.keys(t); !slices.Equal(keys, []string{"cat.jpg", "cat_resize-a.jpg", "cat_resize-a.json", "out.jpg", "out.json"}) {
		t.Errorf("stored: %q", keys)
	}
}
