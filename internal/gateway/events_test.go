package gateway_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/gateway"
	"imageflow.dev/internal/httpevent"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/presets"
	"imageflow.dev/internal/signature"
)

const avatar = `
presets: {icon: {resize: {target_width: 30}}}
pipelines: {avatar: [{resize: {preset: icon}}, {filter: {filter_type: FILTER_TYPE_BLUR, intensity: 1}}]}
`

// subscribe starts a gateway that runs the pipeline avatar for signed events.
func subscribe(t *testing.T) (*system, *signature.Signer, http.Handler) {
	t.Helper()
	set, err := presets.Parse([]byte(avatar))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := signature.New([]string{"a key of events for these tests only"}, false)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, func(p *gateway.Pipeline) { p.Presets = set })
	return s, signer, gateway.RouteEvents(&gateway.Events{Pipeline: s.pipeline, Signer: signer}, http.NotFoundHandler())
}

// uploaded puts an image and returns its signed event.
func (s *system) uploaded(t *testing.T, signer *signature.Signer, key string) cloudevent.Event {
	t.Helper()
	s.put(t, key, jpegOf(t, 60, 40))
	info, err := s.store.Stat(t.Context(), bucket, key)
	if err != nil {
		t.Fatal(err)
	}
	e, err := events.NewObjectFound(info)
	if err != nil {
		t.Fatal(err)
	}
	signer.Sign(&e)
	return e
}

// deliver posts an event and returns the answer.
func deliver(t *testing.T, h http.Handler, query string, e cloudevent.Event) *http.Response {
	t.Helper()
	r, err := httpevent.NewRequest(t.Context(), "http://gateway/?"+query, e)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

// TestEvents_runThePipeline: the answer is the signed event of the last step, about the upload. A repeated event
// does no work again.
func TestEvents_runThePipeline(t *testing.T) {
	s, signer, h := subscribe(t)
	e := s.uploaded(t, signer, "in/cat.jpg")
	var answers []*cloudevent.Event
	for range 2 {
		resp := deliver(t, h, "pipeline=avatar", e)
		httpevent.Decode(resp.Header)
		answer, err := cehttp.NewEventFromHTTPResponse(resp)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s, %v", resp.Status, err)
		}
		answers = append(answers, answer)
	}
	last := answers[0]
	result, err := events.ParseStepCompleted(last)
	if err != nil || last.Type() != "dev.imageflow.filter.completed.v1" || last.Subject() != "in/cat" ||
		signer.Verify(*last) != nil || result.GetOutputImage().GetObjectKey() != "in/cat_filter.jpg" ||
		events.ChainLength.Get(last) != 1 {
		t.Errorf("the answer is %v, %v", last, err)
	}
	if origin, _ := events.OriginOf(last); origin.Key != "in/cat.jpg" || origin.ETag == "" {
		t.Errorf("the origin is %+v", origin)
	}
	again, err := events.ParseStepCompleted(answers[1])
	const isNew = "pixel_path"
	if err != nil || answers[1].ID() != last.ID() || again.GetMetadata()[isNew] != "" || result.GetMetadata()[isNew] == "" {
		t.Errorf("the second answer is %v, %v", answers[1], err)
	}
	want := []string{"in/cat.jpg", "in/cat_filter.jpg", "in/cat_resize.jpg", "in/cat_resize.json"}
	if keys := s.keys(t); !slices.Equal(keys, want) {
		t.Errorf("stored: %q", keys)
	}
}

// TestEvents_priority: the calls have the priority of the event.
func TestEvents_priority(t *testing.T) {
	s, signer, h := subscribe(t)
	var got []string
	s.before = func(ctx context.Context, _ string) error {
		got = append(got, metadata.ValueFromIncomingContext(ctx, "imageflow-priority")...)
		return nil
	}
	e := s.uploaded(t, signer, "cat.jpg")
	deliver(t, h, "pipeline=avatar", e)
	events.Backfill.Set(&e, "avatars")
	signer.Sign(&e)
	deliver(t, h, "pipeline=avatar", e)
	if want := []string{"event", "event", "backfill", "backfill"}; !slices.Equal(got, want) {
		t.Errorf("the priorities are %q, want %q", got, want)
	}
}

// TestEvents_errors: each answer tells the broker whether a retry can help.
func TestEvents_errors(t *testing.T) {
	s, signer, h := subscribe(t)
	e := s.uploaded(t, signer, "cat.jpg")
	unsigned := e.Clone()
	unsigned.SetExtension("imageflowsig", nil)
	loop := e.Clone()
	events.ChainLength.Set(&loop, 16)
	other := e.Clone()
	other.SetType("com.example.other")
	signer.Sign(&other)
	replaced := e.Clone()
	s.put(t, "dog.jpg", jpegOf(t, 60, 40))
	events.Origin{Bucket: bucket, Key: "dog.jpg", ETag: "old"}.Set(&replaced)
	_ = replaced.SetData("application/json",
		[]byte(`{"s3":{"bucket":{"name":"`+bucket+`"},"object":{"key":"dog.jpg","eTag":"old"}}}`))
	signer.Sign(&replaced)
	gone, err := events.NewObjectFound(objects.Info{Bucket: bucket, Key: "gone.jpg", ETag: "x"})
	if err != nil {
		t.Fatal(err)
	}
	signer.Sign(&gone)
	for _, c := range []struct {
		what, query string
		event       cloudevent.Event
		code        int
		text        string
	}{
		{"unsigned", "pipeline=avatar", unsigned, 401, "not signed"},
		{"another name", "pipeline=x", e, 400, "the pipelines are avatar"},
		{"no name", "", e, 400, "pipeline=NAME"}, {"two parameters", "pipeline=avatar&x=1", e, 400, "pipeline=NAME"},
		{"loop", "pipeline=avatar", loop, 400, "loop"}, {"another type", "pipeline=avatar", other, 400, "com.example.other"},
		{"replaced", "pipeline=avatar", replaced, 202, ""}, {"gone", "pipeline=avatar", gone, 422, "gone.jpg"},
	} {
		resp := deliver(t, h, c.query, c.event)
		if text, _ := io.ReadAll(resp.Body); resp.StatusCode != c.code || !strings.Contains(string(text), c.text) {
			t.Errorf("%s: %d %s, want %d %s", c.what, resp.StatusCode, text, c.code, c.text)
		}
	}
}

// TestEvents_unavailable: the answer has no address inside the cluster.
func TestEvents_unavailable(t *testing.T) {
	s, signer, h := subscribe(t)
	s.before = func(context.Context, string) error {
		return status.Error(codes.Unavailable, "no address of the cluster")
	}
	resp := deliver(t, h, "pipeline=avatar", s.uploaded(t, signer, "new.jpg"))
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" ||
		strings.Contains(string(text), "address") {
		t.Errorf("unavailable: %d %s", resp.StatusCode, text)
	}
}

// TestEvents_variant: the steps inherit the variant of an event.
func TestEvents_variant(t *testing.T) {
	s, signer, h := subscribe(t)
	first, err := cehttp.NewEventFromHTTPResponse(deliver(t, h, "pipeline=avatar", s.uploaded(t, signer, "cat.jpg")))
	if err != nil {
		t.Fatal(err)
	}
	events.VariantOf.Set(first, "small")
	events.Origin{Bucket: bucket, Key: "cat.jpg", ETag: "1"}.Set(first)
	signer.Sign(first)
	last, err := cehttp.NewEventFromHTTPResponse(deliver(t, h, "pipeline=avatar", *first))
	if err != nil {
		t.Fatal(err)
	}
	result, err := events.ParseStepCompleted(last)
	if variant, _ := events.VariantOf.Get(last); err != nil || variant != "small" ||
		result.GetOutputImage().GetObjectKey() != "cat_filter-small.jpg" {
		t.Errorf("the answer is %v, %v", last, err)
	}
}

// TestEvents_outcome: the pipeline does not run for the outcome of an execution.
func TestEvents_outcome(t *testing.T) {
	s, signer, h := subscribe(t)
	s.before = func(context.Context, string) error { t.Error("a step runs"); return nil }
	e := s.uploaded(t, signer, "in/cat.jpg")
	e.SetType(events.ExecutionCompleted)
	signer.Sign(&e)
	if resp := deliver(t, h, "pipeline=avatar", e); resp.StatusCode != http.StatusAccepted {
		t.Errorf("answered %d", resp.StatusCode)
	}
}

// TestRouteEvents: no path is redirected, and only posts to / are events.
func TestRouteEvents(t *testing.T) {
	say := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, text+" "+r.URL.Path) })
	}
	routes := gateway.RouteEvents(say("event"), say("other"))
	for call, want := range map[string]string{
		"POST /": "event /", "GET /": "other /", "POST //": "other //", "POST /a//b": "other /a//b", "GET /a/../b": "other /a/../b",
	} {
		method, path, _ := strings.Cut(call, " ")
		answer := httptest.NewRecorder()
		r := httptest.NewRequest(method, "/", nil)
		r.URL.Path = path
		routes.ServeHTTP(answer, r)
		if answer.Code != http.StatusOK || answer.Body.String() != want {
			t.Errorf("%s: %d %s, want %s", call, answer.Code, answer.Body, want)
		}
	}
}
