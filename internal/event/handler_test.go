package event_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"imageflow.dev/functions"
	"imageflow.dev/functions/filter"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/event"
	"imageflow.dev/internal/events"
	"imageflow.dev/internal/httpevent"
	"imageflow.dev/internal/job"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

type (
	request  = imageflowv1.ResizeRequest
	response = imageflowv1.ResizeResponse
	work     = func(context.Context, functions.Request, job.OverloadPolicy) (functions.Response, error)
)

// serve starts a server of the resize processor that runs jobs with run.
func serve(t *testing.T, run work) string {
	s := httptest.NewServer(&event.Handler{Processor: resize.Processor, Run: run})
	t.Cleanup(s.Close)
	return s.URL
}

// echo returns a job that stores its request in got and returns the response of a job with
// an output.
func echo(got **request) work {
	return func(_ context.Context, req functions.Request, _ job.OverloadPolicy) (functions.Response, error) {
		r := req.(*request)
		*got = r
		execution := r.GetExecutionId()
		if execution == "" {
			execution = strings.TrimSuffix(r.GetInputImage().GetObjectKey(), ".jpg")
		}
		resp := &response{
			Result: &imageflowv1.ProcessingResult{
				OutputImage: &imageflowv1.ImageData{Bucket: "b", ObjectKey: execution + "_resize.jpg", Etag: "e2"},
				Metadata: map[string]string{
					"execution_id": execution, "source_bucket": r.GetInputImage().GetBucket(),
					"source_key": r.GetInputImage().GetObjectKey(), "source_etag": r.GetInputImage().GetEtag(),
				},
				ProcessedAt: timestamppb.Now(),
			},
			Metadata: &imageflowv1.ResizeMetadata{OutputWidth: r.GetTargetWidth()},
		}
		if r.GetVariant() != "" {
			resp.Result.Metadata["variant"] = r.GetVariant()
		}
		return resp, nil
	}
}

// created returns an "object created" event.
func created(escapedKey string) cloudevent.Event {
	e := cloudevent.New()
	e.SetID("cause")
	e.SetSource("minio:s3..b")
	e.SetType("com.amazonaws.s3.ObjectCreated:Put")
	e.SetExtension("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	_ = e.SetData(cloudevent.ApplicationJSON, map[string]any{
		"s3": map[string]any{"bucket": map[string]any{"name": "b"}, "object": map[string]any{"key": escapedKey, "eTag": "e1"}},
	})
	return e
}

// post sends an event in binary or structured mode.
func post(t *testing.T, url string, e cloudevent.Event, structured bool) *http.Response {
	t.Helper()
	var req *http.Request
	var err error
	if structured {
		body, _ := json.Marshal(e)
		req, err = http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
		req.Header.Set("Content-Type", "application/cloudevents+json")
	} else {
		req, err = httpevent.NewRequest(t.Context(), url, e)
	}
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func next(t *testing.T, resp *http.Response) *cloudevent.Event {
	t.Helper()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("got %s", resp.Status)
	}
	for name, values := range resp.Header {
		if strings.HasPrefix(name, "Ce-") && strings.ContainsFunc(values[0], func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("the header %s is not encoded: %q", name, values)
		}
	}
	httpevent.Decode(resp.Header)
	e, err := cehttp.NewEventFromHTTPResponse(resp)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Validate(); err != nil {
		t.Error(err)
	}
	return e
}

func TestChain(t *testing.T) {
	for _, structured := range []bool{false, true} {
		var got *request
		url := serve(t, echo(&got))
		first := next(t, post(t, url+"/?target_width=7&enlarge=true", created("in/%E7%8C%AB+1%252F.jpg"), structured))
		wantInput := &imageflowv1.ImageData{Bucket: "b", ObjectKey: "in/猫 1%2F.jpg", Etag: "e1"}
		want := &request{InputImage: wantInput, TargetWidth: 7, Enlarge: true}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("the request of the first step differs (-want +got):\n%s", diff)
		}
		const execution = "in/猫 1%2F"
		origin := "s3://b/in/%E7%8C%AB%201%252F.jpg?etag=e1"
		if first.Type() != events.StepCompletedType("resize") || first.Subject() != execution || first.Source() != "/imageflow/resize" {
			t.Errorf("the first event is %v", first)
		}
		wantExtensions(t, first, map[string]string{
			"causationid": "cause", "correlationid": "cause", "partitionkey": execution, "origin": origin,
			"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		})
		var data response
		if err := protojson.Unmarshal(first.Data(), &data); err != nil || data.GetMetadata().GetOutputWidth() != 7 {
			t.Errorf("data is %s, %v", first.Data(), err)
		}
		second := next(t, post(t, url+"/?target_width=3", *first, structured))
		wantInput = &imageflowv1.ImageData{Bucket: "b", ObjectKey: execution + "_resize.jpg", Etag: "e2"}
		want = &request{InputImage: wantInput, TargetWidth: 3, ExecutionId: execution}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("the request of the second step differs (-want +got):\n%s", diff)
		}
		wantExtensions(t, second, map[string]string{
			"causationid": first.ID(), "correlationid": "cause", "partitionkey": execution, "origin": origin,
		})
	}
}

func wantExtensions(t *testing.T, e *cloudevent.Event, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got := e.Extensions()[name]; got != value {
			t.Errorf("%s is %v, want %s", name, got, value)
		}
	}
}

func TestIDs_dependOnCauseAndParameters(t *testing.T) {
	var got *request
	url := serve(t, echo(&got))
	id := func(query, cause string) string {
		e := created("a.jpg")
		e.SetID(cause)
		return next(t, post(t, url+"/?"+query, e, false)).ID()
	}
	same, again := id("target_width=7", "1"), id("target_width=7", "1")
	if same != again {
		t.Errorf("the ids of a repeated delivery are %s and %s", same, again)
	}
	if same == id("target_width=7", "2") || same == id("target_width=8", "1") {
		t.Error("events of another cause or with other parameters have the same id")
	}
}

func TestLongResponse_isReducedToItsResult(t *testing.T) {
	for size, want := range map[int]bool{10: true, 70 << 10: false} {
		run := func(context.Context, functions.Request, job.OverloadPolicy) (functions.Response, error) {
			return &imageflowv1.FilterResponse{
				Result:   &imageflowv1.ProcessingResult{OutputImage: &imageflowv1.ImageData{ObjectKey: "out"}},
				Metadata: &imageflowv1.FilterMetadata{AppliedParameters: map[string]string{"fact": strings.Repeat("x", size)}},
			}, nil
		}
		s := httptest.NewServer(&event.Handler{Processor: filter.Processor, Run: run})
		var data imageflowv1.FilterResponse
		if err := protojson.Unmarshal(next(t, post(t, s.URL, created("a.jpg"), false)).Data(), &data); err != nil {
			t.Error(err)
		}
		s.Close()
		if got := data.GetMetadata() != nil; got != want || data.GetResult().GetOutputImage().GetObjectKey() != "out" {
			t.Errorf("%d bytes of metadata: kept %v, want %v; result %v", size, got, want, data.GetResult())
		}
	}
}

func TestErrors(t *testing.T) {
	tests := []struct {
		err        error
		code       int
		retryAfter string
		contains   string
	}{
		{functions.Errorf(functions.Invalid, "target_width", "is odd"), 400, "", `"field_violations":[{"field":"target_width"`},
		{functions.Errorf(functions.NotFound, "input_image", "none"), 422, "", "none"},
		{functions.Errorf(functions.Busy, "", "full"), 429, "1", "full"},
		{functions.Errorf(functions.Unavailable, "", "away"), 503, "1", "away"},
		{errors.New("secret"), 500, "", "internal error"},
		{context.DeadlineExceeded, 504, "", "deadline"},
		{&functions.Error{Kind: functions.NotFound, Message: "old", Cause: fmt.Errorf("x: %w", job.ErrSuperseded)}, 202, "", ""},
	}
	for _, test := range tests {
		resp := post(t, serve(t, func(context.Context, functions.Request, job.OverloadPolicy) (functions.Response, error) {
			return nil, test.err
		}), created("a.jpg"), false)
		var body bytes.Buffer
		_, _ = body.ReadFrom(resp.Body)
		text := strings.ReplaceAll(body.String(), " ", "")
		if resp.StatusCode != test.code || resp.Header.Get("Retry-After") != test.retryAfter ||
			!strings.Contains(text, strings.ReplaceAll(test.contains, " ", "")) {
			t.Errorf("%v: got %d, Retry-After %q, %s", test.err, resp.StatusCode, resp.Header.Get("Retry-After"), text)
		}
		if strings.Contains(text, "secret") {
			t.Errorf("%v: the answer contains the internal error", test.err)
		}
	}
}

func TestInvalidEvents(t *testing.T) {
	other, empty, broken, long := created("a.jpg"), created(""), created("a.jpg"), created("a.jpg")
	other.SetType("com.example.other")
	broken.SetType("dev.imageflow.resize.completed.v1")
	_ = long.SetData(cloudevent.ApplicationJSON, strings.Repeat("x", 2<<20))
	tests := []struct {
		name, query string
		e           cloudevent.Event
		contains    string
	}{
		{"unknown parameter", "target_wdith=1", created("a.jpg"), "target_wdith"},
		{"unknown parameter inside", "output_image.nope=1", created("a.jpg"), "output_image.nope"},
		{"wrong value", "target_width=wide", created("a.jpg"), "target_width"},
		{"no query", "target_width=%zz", created("a.jpg"), "not URL-encoded"},
		{"not UTF-8", "%ff=1", created("a.jpg"), "no such parameter"},
		{"an image of its own", "input_bytes=eA==", created("a.jpg"), "input_bytes"},
		{"both spellings", "target_width=1&targetWidth=2", created("a.jpg"), "target_width"},
		{"unknown type", "", other, "com.example.other"},
		{"no key", "", empty, "names no object"},
		{"no response of a step", "", broken, "not the response of a step"},
		{"too long", "", long, tooLong},
	}
	url := serveNoJobs(t)
	for _, test := range tests {
		resp := post(t, url+"/?"+test.query, test.e, false)
		var body bytes.Buffer
		_, _ = body.ReadFrom(resp.Body)
		if (resp.StatusCode != 400 && test.contains != tooLong) || !strings.Contains(body.String(), test.contains) {
			t.Errorf("%s: got %d %s", test.name, resp.StatusCode, body.String())
		}
	}
}

func TestInvalidEvents_noEvent(t *testing.T) {
	resp, err := http.Post(serveNoJobs(t), "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 400 {
		t.Errorf("got %d", resp.StatusCode)
	}
}

// serveNoJobs serves a processor whose jobs fail the test.
func serveNoJobs(t *testing.T) (url string) {
	return serve(t, func(context.Context, functions.Request, job.OverloadPolicy) (functions.Response, error) {
		t.Error("a job was run")
		return nil, errors.New("no")
	})
}
