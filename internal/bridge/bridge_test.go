package bridge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"imageflow.dev/internal/bridge"
)

// posted is a captured request of MinIO.
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

// TestRealNotifications posts captured notifications of MinIO about puts, a copy, a
// multipart upload and a deletion. Only the new objects have events.
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

const record = `{"Records":[{"eventName":"%s","s3":{"bucket":{"name":"b"},` +
	`"object":{"key":"k.jpg","eTag":"e","sequencer":"1","userMetadata":{%s}}}}]}`

func fill(event, metadata string) string {
	return string(bytes.Replace(bytes.Replace([]byte(record), []byte("%s"), []byte(event), 1), []byte("%s"), []byte(metadata), 1))
}

func TestNotifications(t *testing.T) {
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

func TestNotification_brokerUnavailable(t *testing.T) {
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

// slowBroker is a transport to a broker that answers 202 to each event after release is
// closed.
type slowBroker struct {
	release  chan struct{}
	accepted atomic.Int64
}

func (b *slowBroker) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case <-b.release:
		b.accepted.Add(1)
		return &http.Response{StatusCode: http.StatusAccepted, Body: http.NoBody, Request: r}, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// newSlowBridge returns a bridge that posts to a slowBroker.
func newSlowBridge(t *testing.T) (*bridge.Bridge, *slowBroker) {
	t.Helper()
	b := &slowBroker{release: make(chan struct{})}
	h, err := bridge.New(bridge.Config{
		Broker: "http://broker", AcceptWithin: time.Second, MaxBackground: 2,
		WrapTransport: func(http.RoundTripper) http.RoundTripper { return b },
	})
	if err != nil {
		t.Fatal(err)
	}
	return h, b
}

// TestSlowBroker: some brokers answer only after the whole chain has run. A limited
// number of their events waits in the background, and Drain waits for them.
func TestSlowBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, b := newSlowBridge(t)
		for _, want := range []int{http.StatusOK, http.StatusOK, http.StatusServiceUnavailable} {
			start := time.Now()
			if code := notify(h, "", fill("s3:ObjectCreated:Put", "")); code != want || time.Since(start) != time.Second {
				t.Errorf("answered %d after %v, want %d after 1s", code, time.Since(start), want)
			}
		}
		drained := make(chan error, 1)
		go func() { drained <- h.Drain(t.Context()) }()
		synctest.Wait()
		select {
		case err := <-drained:
			t.Fatalf("drained while two events were in the background: %v", err)
		default:
		}
		close(b.release)
		if err := <-drained; err != nil || b.accepted.Load() != 2 {
			t.Errorf("the drain returns %v, and %d events were accepted", err, b.accepted.Load())
		}
	})
}

func TestDrain_contextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, b := newSlowBridge(t)
		notify(h, "", fill("s3:ObjectCreated:Put", ""))
		limit, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := h.Drain(limit); err == nil {
			t.Error("an incomplete drain returns no error")
		}
		synctest.Wait() // the post has ended
		if b.accepted.Load() != 0 {
			t.Error("an event was accepted")
		}
	})
}
