package console_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"imageflow.dev/internal/execution"
)

// TestReplay sends what was confirmed, and only once.
func TestReplay(t *testing.T) {
	s := newDeadLetterSystem(t)
	one := s.fail(execution.DeadLetter{Execution: "in/1", Key: "in/1.jpg", Step: "http://resize", Reason: "too large: 7"})
	two := s.fail(execution.DeadLetter{Execution: "in/2", Key: "in/2.jpg", Step: "http://resize", Reason: "too large: 8"})
	s.fail(execution.DeadLetter{Execution: "in/3", Key: "in/3.jpg", Step: "http://detect", Reason: "no model"})
	s.fail(execution.DeadLetter{
		Execution: "in/4", Key: "in/4.jpg", Step: "http://resize", Reason: "too large: 9", Message: "no event",
	})
	page := s.get("/dead-letters", http.StatusOK)
	s.has(page, "not replayable")
	dry := s.submit(page, "Dry run of this group", http.StatusOK)
	s.has(dry, "these 2 events", "in/1.jpg", "in/2.jpg", "dev.imageflow.image.resized.v1")
	if strings.Contains(dry, "in/3") || strings.Contains(dry, "in/4") || len(s.requests()) != 0 {
		t.Fatalf("the dry run is wrong: %v\n%s", s.requests(), dry)
	}
	for range 2 { // a double click
		s.submit(dry, "Replay these 2 events", http.StatusSeeOther)
	}
	if r := s.requests(); len(r) != 1 || strings.Join(r[0].Objects, " ") != one.Object+" "+two.Object {
		t.Fatalf("requested %v", r)
	}
	requested := s.location
	s.has(s.get(requested, http.StatusOK), "waiting for a bridge", "in/1.jpg", "waiting for a bridge", "in/2.jpg")

	if err := s.letters.Remove(t.Context(), one); err != nil { // the bridge has sent both, and one failed again
		t.Fatal(err)
	}
	two.Reason = "still too large"
	s.fail(two)
	s.has(s.get(requested, http.StatusOK), " sent<", "in/1.jpg", "failed again", "still too large", "in/2.jpg")
	s.has(s.submit(dry, "Replay these 2 events", http.StatusSeeOther), "")
	if len(s.requests()) != 1 {
		t.Error("a repetition of the form has sent something")
	}
}

// TestReplay_afterNewFailure sends nothing that has failed since the dry run, and says so.
func TestReplay_afterNewFailure(t *testing.T) {
	s := newDeadLetterSystem(t)
	one := s.fail(execution.DeadLetter{Execution: "in/1", Key: "in/1.jpg", Step: "http://resize", Reason: "no"})
	dry := s.submit(s.get("/dead-letters", http.StatusOK), "Dry run of all", http.StatusOK)
	s.fail(one)
	s.has(s.submit(dry, "Replay this event", http.StatusConflict), "nothing was sent", "Replay this event")
	if len(s.requests()) != 0 {
		t.Errorf("requested %v", s.requests())
	}
	if err := s.letters.Remove(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	s.has(s.submit(dry, "Replay this event", http.StatusConflict), "nothing was sent", "No longer dead letters", one.Object)
}

// TestReplay_errors: every refusal is said in words.
func TestReplay_errors(t *testing.T) {
	s := newDeadLetterSystem(t)
	d := s.fail(execution.DeadLetter{Execution: "in/1", Key: "in/1.jpg", Step: "http://resize", Reason: "no", Message: "no event"})
	const path = "/dead-letters/replay"
	id := func(text string) url.Values { return url.Values{"id": {text}} }
	s.has(s.post(path, id(url.QueryEscape(d.Object)), http.StatusOK), "nothing to send", "Not replayable")
	s.has(s.post(path, nil, http.StatusBadRequest), "no dead letter was chosen")
	s.has(s.post(path, id("%zz"), http.StatusBadRequest), "is no id")
	s.has(s.post(path, id("other/x.json"), http.StatusBadRequest), "is no dead letter of the bucket")
	s.has(s.post(path+"?bucket=other", url.Values{"choose": {"filter"}}, http.StatusBadRequest), "READ_FROM")
	s.has(s.get("/dead-letters/requested?request=x", http.StatusNotFound), "does not know the replay")
	s.client.err = status.Error(codes.Unavailable, "the object store does not answer")
	s.has(s.get("/dead-letters", http.StatusServiceUnavailable), "The gateway does not answer: the object store does not answer")
	s.has(s.post(path, url.Values{"choose": {"filter"}}, http.StatusServiceUnavailable), "does not answer")
	r := httptest.NewRequest(http.MethodPost, path, nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	s.do(r, http.StatusForbidden)
}
