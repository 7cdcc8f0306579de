package event_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"imageflow.dev/functions"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/event"
	"imageflow.dev/internal/events"
	"imageflow.dev/internal/job"
	"imageflow.dev/internal/signature"
)

func newSigner(t *testing.T, key string) *signature.Signer {
	t.Helper()
	s, err := signature.New([]string{key}, false)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func signedUpload(t *testing.T, by *signature.Signer) cloudevent.Event {
	t.Helper()
	e := cloudevent.New()
	e.SetID("1")
	e.SetSource("minio:s3..b")
	e.SetType("com.amazonaws.s3.ObjectCreated:Put")
	data := []byte(`{"s3":{"bucket":{"name":"b"},"object":{"key":"cat.jpg","eTag":"e1"}}}`)
	if err := e.SetData(cloudevent.ApplicationJSON, data); err != nil {
		t.Fatal(err)
	}
	by.Sign(&e)
	return e
}

// TestStepsVerifyAndSign: an event without a valid signature is refused before any job, and
// the answer to an event with one is signed.
func TestStepsVerifyAndSign(t *testing.T) {
	ours, theirs := newSigner(t, strings.Repeat("a", 32)), newSigner(t, strings.Repeat("b", 32))
	var jobs atomic.Int64
	var got *request
	work := echo(&got)
	s := httptest.NewServer(&event.Handler{
		Processor: resize.Processor, Signer: ours,
		Run: func(ctx context.Context, r functions.Request, p job.OverloadPolicy) (functions.Response, error) {
			jobs.Add(1)
			return work(ctx, r, p)
		},
	})
	t.Cleanup(s.Close)
	changed := signedUpload(t, ours)
	changed.SetSubject("other.jpg")
	for name, e := range map[string]cloudevent.Event{
		"unsigned": signedUpload(t, nil), "another key": signedUpload(t, theirs), "changed": changed,
	} {
		resp := postEvent(t, s.URL+"/?target_width=30", e)
		if resp.StatusCode != http.StatusUnauthorized || jobs.Load() != 0 {
			t.Errorf("%s: %s after %d jobs", name, resp.Status, jobs.Load())
		}
	}
	resp := postEvent(t, s.URL+"/?target_width=30", signedUpload(t, ours))
	answer, err := cehttp.NewEventFromHTTPResponse(resp)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("signed: %s, %v", resp.Status, err)
	}
	if err := ours.Verify(*answer); err != nil {
		t.Errorf("the answer: %v", err)
	}
}

// TestBackfill_lastAndPassedOn: the step does the event of a backfill after others, and marks its
// own event alike.
func TestBackfill_lastAndPassedOn(t *testing.T) {
	ours := newSigner(t, strings.Repeat("a", 32))
	var got *request
	work := echo(&got)
	var policies []job.OverloadPolicy
	s := httptest.NewServer(&event.Handler{
		Processor: resize.Processor, Signer: ours,
		Run: func(ctx context.Context, r functions.Request, p job.OverloadPolicy) (functions.Response, error) {
			policies = append(policies, p)
			return work(ctx, r, p)
		},
	})
	t.Cleanup(s.Close)
	for _, chain := range []any{nil, "thumbs"} {
		e := signedUpload(t, nil)
		e.SetExtension("backfill", chain)
		ours.Sign(&e)
		answer, err := cehttp.NewEventFromHTTPResponse(postEvent(t, s.URL+"/?target_width=30", e))
		if err != nil || answer.Extensions()["backfill"] != chain || ours.Verify(*answer) != nil {
			t.Errorf("the answer to an event of %v is %v, %v", chain, answer, err)
		}
	}
	if want := []job.OverloadPolicy{job.Enqueue, job.Backfill}; !slices.Equal(policies, want) {
		t.Errorf("policies %v, want %v", policies, want)
	}
}

func postEvent(t *testing.T, url string, e cloudevent.Event) *http.Response {
	t.Helper()
	req, err := cehttp.NewHTTPRequestFromEvent(t.Context(), url, e)
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

// unread is a body that fails the test when it is read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func TestUnsignedEvent_bodyIsNotRead(t *testing.T) {
	d := &event.Handler{Processor: resize.Processor, Signer: newSigner(t, strings.Repeat("a", 32))}
	r := httptest.NewRequest(http.MethodPost, "/", unread{t})
	for name, value := range map[string]string{
		"Ce-Id": "1", "Ce-Source": "s", "Ce-Specversion": "1.0", "Ce-Type": "com.amazonaws.s3.ObjectCreated:Put",
		"Content-Type": "application/json",
	} {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	if w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), string(events.Signature)) {
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
}
