package scenario

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/minio/minio-go/v7"
)

// TestTenEqualEventsAtOnce: each step runs once and answers ten times.
func TestTenEqualEventsAtOnce(t *testing.T) {
	d := deploy(t, setup{})
	d.place(t, "ten.jpg", plainJPEG(t, 1000, 800, colourOf(3)))
	body := fmt.Sprintf(`{"s3":{"bucket":{"name":%q},"object":{"key":"ten.jpg","eTag":%q}}}`, bucket, d.etag(t, "ten.jpg"))
	event := d.signed(t, binaryEvent, body)
	for _, step := range []struct{ part, query string }{
		{"resize", "target_width=300"}, {"detect", "draw_boxes=true"}, {"filter", "filter_type=FILTER_TYPE_SHARPEN&intensity=1"},
	} {
		responses, bodies := make([]*http.Response, 10), make([]string, 10)
		var all sync.WaitGroup
		for i := range responses {
			all.Go(func() {
				responses[i], bodies[i] = post(t, http.DefaultClient, d.url(step.part, "/?"+step.query), body, event)
			})
		}
		all.Wait()
		for i, r := range responses {
			if r.StatusCode != http.StatusOK || r.Header.Get("Ce-Id") != responses[0].Header.Get("Ce-Id") ||
				timeless(t, bodies[i]) != timeless(t, bodies[0]) {
				t.Errorf("%s: answer %d is %s %s, the first is %s", step.part, i, r.Status, bodies[i], bodies[0])
			}
		}
		event, body = map[string]string{}, bodies[0]
		for name := range responses[0].Header {
			if strings.HasPrefix(name, "Ce-") {
				event[name] = responses[0].Header.Get(name)
			}
		}
	}
	d.stopAll(t)
	for _, part := range []string{"resize", "detect", "filter"} {
		if got := strings.Count(d.parts[part].output(), `"outcome":"done"`); got != 1 {
			t.Errorf("%s has worked %d times", part, got)
		}
	}
}

// timeless returns an answer without its times and the path of its pixels, which differ if the
// output already existed.
func timeless(t testing.TB, body string) string {
	t.Helper()
	var answer struct {
		Result   map[string]any
		Metadata any
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Errorf("%s: %v", body, err)
		return body
	}
	delete(answer.Result, "processed_at")
	delete(answer.Result, "processing_time_seconds")
	if image, ok := answer.Result["output_image"].(map[string]any); ok {
		delete(image, "created_at")
	}
	if facts, ok := answer.Result["metadata"].(map[string]any); ok {
		for name := range facts {
			if strings.HasSuffix(name, "_ms") || name == "pixel_path" {
				delete(facts, name)
			}
		}
	}
	text, err := json.Marshal(answer)
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

func (s *system) etag(t testing.TB, key string) string {
	t.Helper()
	info, err := s.s3.StatObject(context.Background(), bucket, key, minio.StatObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return info.ETag
}

// TestQuickVersions: for an object that is overwritten repeatedly, the last version identifies the
// source of the outputs.
func TestQuickVersions(t *testing.T) {
	systems := map[string]func() *system{
		"local":      func() *system { return local(t, setup{}) },
		"deployment": func() *system { return &deploy(t, setup{}).system },
	}
	for name, start := range systems {
		t.Run(name, func(t *testing.T) {
			s := start()
			const versions = 20
			for i := range versions {
				s.put(t, keyOf(versions-1), "image/jpeg", plainJPEG(t, 1000, 800, colourOf(i)))
			}
			eventually(t, "the end of the last version", func() bool { return s.tag(t, keyOf(versions-1)) == "completed" })
			s.checkColour(t, versions-1)
			if from := s.metadata(t, "crash/0019_resize.jpg")["Imageflow-Source-Etag"]; from != s.etag(t, keyOf(versions-1)) {
				t.Errorf("the resized image is made from %s", from)
			}
		})
	}
}

func (s *system) metadata(t testing.TB, key string) map[string]string {
	t.Helper()
	info, err := s.s3.StatObject(context.Background(), bucket, key, minio.StatObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return info.UserMetadata
}

// TestCopiesStartChains: a server-side copy has the metadata and the tags of its source, and is an
// upload like others. Outputs start no chain.
func TestCopiesStartChains(t *testing.T) {
	s := local(t, setup{})
	s.put(t, "cat.jpg", "image/jpeg", plainJPEG(t, 1000, 800, colourOf(1)))
	eventually(t, "the end", func() bool { return s.tag(t, "cat.jpg") == "completed" })
	copies := map[string]string{"backup/cat_resize.jpg": "cat_resize.jpg", "twin.jpg": "cat.jpg"}
	for to, from := range copies {
		_, err := s.s3.CopyObject(context.Background(),
			minio.CopyDestOptions{Bucket: bucket, Object: to}, minio.CopySrcOptions{Bucket: bucket, Object: from})
		if err != nil {
			t.Fatal(err)
		}
	}
	for to := range copies {
		filtered := strings.TrimSuffix(to, ".jpg") + "_filter.jpg"
		eventually(t, "the chain of the copy "+to, func() bool { return s.exists(filtered) })
		eventually(t, "the end of it", func() bool { return s.tag(t, to) == "completed" })
	}
	if got := len(s.keys(t, "")); got != 6+6+6 {
		t.Errorf("%d objects, want three chains' six each: %q", got, s.keys(t, ""))
	}
}

const circle = `
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: circle, namespace: image-processing}
spec:
  broker: default
  filters: [{exact: {type: dev.imageflow.filter.completed.v1}}]
  subscriber:
    ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: resize-grpc-service}
    uri: /?target_width=100&variant=again
`

// TestTriggerLoopEnds: Triggers that lead back into their chain end in a dead letter. The chain records no completion here,
// which would remove the dead letter if it came after it.
func TestTriggerLoopEnds(t *testing.T) {
	dir := t.TempDir()
	docs := []string{circle}
	for _, file := range []string{"broker.yaml", "chain.yaml"} {
		text, err := os.ReadFile(filepath.Join("../../eventing", file))
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, strings.Split(string(text), "\n---\n")...)
	}
	isCompletion := func(doc string) bool { return strings.Contains(doc, "name: chain-4-completed") }
	text := strings.Join(slices.DeleteFunc(docs, isCompletion), "\n---\n")
	if err := os.WriteFile(filepath.Join(dir, "circle.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	s := local(t, setup{flags: []string{"--eventing", dir}})
	s.put(t, "round.jpg", "image/jpeg", plainJPEG(t, 1000, 800, colourOf(2)))
	eventually(t, "a dead letter of a loop", func() bool {
		for _, key := range s.deadLetterKeys(t) {
			if strings.Contains(string(s.getFrom(t, "imageflow-dead-letters", key)), "is it a loop?") {
				return true
			}
		}
		return false
	})
}
