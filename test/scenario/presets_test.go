package scenario

import (
	"encoding/json"
	"fmt"
	"image"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const presetsFile = `
presets:
  card: {resize: {target_width: 64, target_height: 36, fit: FIT_COVER, output_image: {content_type: image/png}}}
  crisp: {filter: {filter_type: FILTER_TYPE_SHARPEN, intensity: 1}}
pipelines:
  avatar:
    - resize: {preset: card, target_width: 32, target_height: 32}
    - filter: {preset: crisp}
  photo: [{resize: {preset: card}}, {filter: {preset: crisp}}]
`

// TestPresets: a preset means the same by each transport, and what is given beside it replaces its parameters.
func TestPresets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "presets.yaml")
	if err := os.WriteFile(file, []byte(presetsFile), 0o600); err != nil {
		t.Fatal(err)
	}
	s := local(t, setup{flags: []string{"--presets", file, "--eventing", "eventing,eventing/examples/presets"}})
	s.place(t, "in.jpg", jpegOf(t, 600, 400))
	input := fmt.Sprintf(`{"input_image":{"bucket":%q,"object_key":"in.jpg"},`, bucket)

	_, body := post(t, http.DefaultClient, s.url("gateway", "/v1/resize"), input+`"preset":"card","execution_id":"json"}`, nil)
	if got := s.size(t, "json_resize.png"); got != image.Pt(64, 36) {
		t.Errorf("JSON: %v, %s", got, body)
	}
	client := imageflowv1.NewResizeServiceClient(dial(t, s.addresses["resize"]))
	resized, err := client.ResizeImage(t.Context(), &imageflowv1.ResizeRequest{
		InputImage: &imageflowv1.ImageData{Bucket: bucket, ObjectKey: "in.jpg"}, Preset: "card", TargetWidth: 36, ExecutionId: "grpc",
	})
	if err != nil || resized.GetResult().GetOutputImage().GetWidth() != 36 {
		t.Errorf("gRPC: %v, %v", resized, err)
	}
	form := postForm(t, s.url("gateway", "/v1/resize"), sampleJPEG(t), url.Values{"preset": {"card"}})
	if !strings.HasPrefix(form, "\x89PNG") {
		t.Errorf("form: %.40q", form)
	}
	s.put(t, "cards/a.jpg", "image/jpeg", jpegOf(t, 600, 400)) // ?preset=card&target_width=320
	eventually(t, "the chain of the preset", func() bool { return s.tag(t, "cards/a.jpg") == "completed" })
	if got := s.size(t, "cards/a_resize.png"); got != image.Pt(320, 36) {
		t.Errorf("event: %v", got)
	}
	named := input + `"pipeline":"avatar","execution_id":"avatar"}`
	_, body = post(t, http.DefaultClient, s.url("gateway", "/v1/pipeline"), named, nil)
	if got := s.size(t, "avatar_filter.png"); got != image.Pt(32, 32) {
		t.Errorf("pipeline: %v, %s", got, body)
	}
}

// TestPresets_names: they are listed, and errors name the known ones.
func TestPresets_names(t *testing.T) {
	s := local(t, setup{env: []string{"PRESETS_FILE=config/components/presets/presets.yaml"}})
	resp, err := http.Get(s.url("gateway", "/v1/presets"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var list struct {
		Presets, Pipelines []struct{ Name string }
	}
	const want = "{[{card} {crisp} {found} {icon}] [{avatar} {photo}]}"
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil || fmt.Sprint(list) != want {
		t.Errorf("listed: %v, %v", list, err)
	}
	for path, c := range map[string]struct{ body, want string }{
		"/v1/resize":    {`"preset":"cord"}`, "preset: there is no \\\"cord\\\"; the presets of resize are card, icon"},
		"/v1/detect":    {`"preset":"card"}`, "is of resize, not of detect"},
		"/v1/pipeline":  {`"pipeline":"x"}`, "pipeline: there is no \\\"x\\\"; the pipelines are avatar, photo"},
		"/v1/pipeline?": {`"steps":[{"filter":{"preset":"card"}}]}`, "steps[0].filter.preset"},
	} {
		resp, body := post(t, http.DefaultClient, s.url("gateway", path), `{"input_image":{"object_key":"in.jpg"},`+c.body, nil)
		if resp.StatusCode != http.StatusBadRequest || !strings.Contains(body, c.want) {
			t.Errorf("%s: %d %s, want %s", path, resp.StatusCode, body, c.want)
		}
	}
}

// TestPipelineTrigger: one Trigger at the gateway runs a whole pipeline, although calls of the gateway need a token.
// Its end is the end of the chain.
func TestPipelineTrigger(t *testing.T) {
	s := local(t, setup{env: []string{"GATEWAY_TOKEN=the-gateway-token"}, flags: []string{
		"--presets", "config/components/presets/presets.yaml", "--eventing", "eventing,eventing/examples/presets",
	}})
	s.put(t, "avatars/cat.jpg", "image/jpeg", jpegOf(t, 600, 400))
	s.put(t, "avatars/text.jpg", "image/jpeg", []byte("dear diary"))
	eventually(t, "the end of the pipeline", func() bool { return s.tag(t, "avatars/cat.jpg") == "completed" })
	eventually(t, "the failure of the text", func() bool { return s.tag(t, "avatars/text.jpg") == "failed" })
	want := []string{
		"avatars/cat.jpg", "avatars/cat_filter.webp", "avatars/cat_resize.json", "avatars/cat_resize.webp", "avatars/text.jpg",
	}
	if got := s.keys(t, "avatars/"); !slices.Equal(slices.Sorted(slices.Values(got)), want) {
		t.Errorf("keys %q, want %q", got, want)
	}
	d := deployment{system: *s}
	if got := d.deadLetters(t)["avatars/text.jpg"].Reason; !strings.Contains(got, "steps[0] resize: ") {
		t.Errorf("the dead letter says %q", got)
	}
}
