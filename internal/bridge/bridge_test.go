package bridge_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"imageflow.dev/internal/bridge"
)

// broker keeps what it is sent and answers with status.
type broker struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	delay  time.Duration
	events []cloudevents.Event
}

func newBroker(t *testing.T) *broker {
	b := &broker{status: http.StatusAccepted}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e, err := cehttp.NewEventFromHTTPRequest(r)
		if err != nil {
			t.Error(err)
			return
		}
		time.Sleep(b.delay)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.events = append(b.events, *e)
		w.WriteHeader(b.status)
	}))
	t.Cleanup(b.Close)
	return b
}

func newBridge(t *testing.T, b *broker) http.Handler {
	h, err := bridge.New(bridge.Config{Broker: b.URL, Token: "secret", AcceptWithin: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func notify(h http.Handler, token, body string) int {
	r := httptest.NewRequest(http.MethodPost, "/notifications", bytes.NewBufferString(body))
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

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
	for _, e := range b.events {
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
			if len(b.events) != c.events {
				t.Errorf("%d events, want %d", len(b.events), c.events)
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
	if len(b.events) != 2 || b.events[0].ID() != b.events[1].ID() {
		t.Errorf("got %v", b.events)
	}
}

func TestBrokerAwayPushesBack(t *testing.T) {
	b := newBroker(t)
	b.status = http.StatusServiceUnavailable
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
func TestSlowBrokerDoesNotBlock(t *testing.T) {
	b := newBroker(t)
	b.delay = 2 * time.Second
	start := time.Now()
	if code := notify(newBridge(t, b), "secret", fill("s3:ObjectCreated:Put", "")); code != http.StatusOK {
		t.Errorf("answered %d", code)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("took %v", took)
	}
}
