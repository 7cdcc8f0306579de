package bridge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"imageflow.dev/internal/bridge"
)

// posted is one captured post of a real MinIO.
type posted struct{ Body json.RawMessage }

func captures(t *testing.T, name string) []posted {
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var all []posted
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestRealNotifications posts what a real MinIO posted, puts, a copy, a
// multipart upload and a deletion, and expects the events of the new objects.
func TestRealNotifications(t *testing.T) {
	b := newBroker(t)
	h := newBridge(t, b)
	for _, p := range captures(t, "minio.json") {
		if code := notify(h, "secret", string(p.Body)); code != http.StatusOK {
			t.Errorf("answered %d to %.80s", code, p.Body)
		}
	}
	want := map[string]string{
		"in/a.jpg":                       "com.amazonaws.s3.ObjectCreated:Put",
		"in/dir with space/ü+é&=%2F.jpg": "com.amazonaws.s3.ObjectCreated:Put",
	}
	seen := map[string]string{}
	for _, e := range b.all() {
		if err := e.Validate(); err != nil {
			t.Error(err)
		}
		if e.Source() != "minio:s3..img" {
			t.Errorf("source %q", e.Source())
		}
		seen[e.Subject()] = e.Type()
	}
	for key, kind := range want {
		if seen[key] != kind {
			t.Errorf("%s: type %q, want %q (events: %v)", key, seen[key], kind, seen)
		}
	}
	for key, kind := range seen {
		if kind == "com.amazonaws.s3.ObjectRemoved:Delete" {
			t.Errorf("the deletion of %s started a chain", key)
		}
	}
}

const record = `{"Records":[{"eventName":"%s","s3":{"bucket":{"name":"b"},"object":{"key":"k.jpg","eTag":"e","sequencer":"1","userMetadata":{%s}}}}]}`

func fill(event, metadata string) string {
	return string(bytes.Replace(bytes.Replace([]byte(record), []byte("%s"), []byte(event), 1), []byte("%s"), []byte(metadata), 1))
}

func TestWhatStartsAChain(t *testing.T) {
	for _, c := range []struct {
		name, token, body string
		code, events      int
	}{
		{"a put", "secret", fill("s3:ObjectCreated:Put", ""), 200, 1},
		{"a wrong token", "guess", fill("s3:ObjectCreated:Put", ""), 401, 0},
		{"our own output", "secret", fill("s3:ObjectCreated:Put", `"X-Amz-Meta-Imageflow-Execution":"x"`), 200, 0},
		{"new tags", "secret", fill("s3:ObjectCreated:PutTagging", ""), 200, 0},
		{"a deletion", "secret", fill("s3:ObjectRemoved:Delete", ""), 200, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBroker(t)
			if code := notify(newBridge(t, b), c.token, c.body); code != c.code {
				t.Errorf("answered %d, want %d", code, c.code)
			}
			if len(b.all()) != c.events {
				t.Errorf("%d events, want %d", len(b.all()), c.events)
			}
		})
	}
}

func TestEqualNotificationsGiveEqualEvents(t *testing.T) {
	b := newBroker(t)
	h := newBridge(t, b)
	for range 2 {
		notify(h, "secret", fill("s3:ObjectCreated:Put", ""))
	}
	if got := b.all(); len(got) != 2 || got[0].ID() != got[1].ID() {
		t.Errorf("got %v", got)
	}
}

func TestBrokerAwayPushesBack(t *testing.T) {
	b := newBroker(t)
	b.answer(http.StatusServiceUnavailable)
	h := newBridge(t, b)
	if code := notify(h, "secret", fill("s3:ObjectCreated:Put", "")); code != http.StatusServiceUnavailable {
		t.Errorf("a refusing broker: answered %d", code)
	}
	b.Close()
	if code := notify(h, "secret", fill("s3:ObjectCreated:Put", "")); code != http.StatusServiceUnavailable {
		t.Errorf("a missing broker: answered %d", code)
	}
}

// TestSlowBrokerDoesNotBlock: some brokers answer only when the chain has run.
// Their events go on in the background, so many and no more, and a bridge that
// ends waits for them.
func TestSlowBrokerDoesNotBlock(t *testing.T) {
	bridge.LimitBackground(t, 2)
	b := newBroker(t)
	release := make(chan struct{})
	b.hold = release
	h, err := bridge.New(bridge.Config{Broker: b.URL, Token: "secret", AcceptWithin: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{200, 200, 503} {
		if code := notify(h, "secret", fill("s3:ObjectCreated:Put", "")); code != want {
			t.Errorf("answered %d, want %d", code, want)
		}
	}
	drained := make(chan error, 1)
	go func() { drained <- h.Drain(t.Context()) }()
	select {
	case err := <-drained:
		t.Fatalf("drained while two events were on their way: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	if err := <-drained; err != nil {
		t.Error(err)
	}
	if n := len(b.all()); n < 2 {
		t.Errorf("%d events came through", n)
	}
}

func TestDrainEnds(t *testing.T) {
	b := newBroker(t)
	release := make(chan struct{})
	defer close(release)
	b.hold = release
	h, err := bridge.New(bridge.Config{Broker: b.URL, AcceptWithin: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	notify(h, "", fill("s3:ObjectCreated:Put", ""))
	limit, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := h.Drain(limit); err == nil {
		t.Error("a drain that was cut off looks like a whole one")
	}
}
