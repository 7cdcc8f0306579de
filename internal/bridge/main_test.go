package bridge_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"imageflow.dev/internal/bridge"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/httpevent"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/stores"
)

const (
	images = "images"
	dead   = "dead-letters"
)

// broker records the events that it receives. It answers with status after hold is
// closed; a nil hold answers at once.
type broker struct {
	*httptest.Server
	hold <-chan struct{}

	mu      sync.Mutex
	status  int
	answers map[string]int // by the subject of the event; the default is status
	events  []cloudevents.Event
}

func newBroker(t *testing.T) *broker {
	b := &broker{status: http.StatusAccepted}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		httpevent.Decode(r.Header)
		e, err := cehttp.NewEventFromHTTPRequest(r)
		if err != nil {
			t.Error(err)
			return
		}
		if b.hold != nil {
			<-b.hold
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.events = append(b.events, *e)
		w.WriteHeader(cmp.Or(b.answers[e.Subject()], b.status))
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *broker) all() []cloudevents.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.events)
}

func (b *broker) answer(status int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status = status
}

func newBridge(t *testing.T, b *broker) http.Handler {
	h, err := bridge.New(bridge.Config{Broker: b.URL, Token: "secret", AcceptWithin: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// world is a bridge between a store and a broker.
type world struct {
	t           *testing.T
	store       *objects.Store
	broker      *broker
	bridge      *bridge.Bridge
	deadLetters execution.DeadLetterStore
}

// worlds runs a test with each kind of store.
func worlds(t *testing.T, sweep bridge.Sweep, test func(*testing.T, *world)) {
	stores.Each(t, []string{images, dead}, func(t *testing.T, _ stores.Kind, s *objects.Store) {
		b := newBroker(t)
		h, err := bridge.New(bridge.Config{
			Broker: b.URL, Store: s, DeadLetters: dead, AcceptWithin: time.Minute, Sweep: sweep,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = h.Drain(context.Background()) })
		test(t, &world{t: t, store: s, broker: b, bridge: h, deadLetters: execution.NewDeadLetterStore(s, dead)})
	})
}

func (w *world) put(key, content string, metadata map[string]string) objects.Info {
	w.t.Helper()
	info, err := w.store.Put(w.t.Context(), images, key, "image/jpeg", []byte(content), metadata)
	if err != nil {
		w.t.Fatal(err)
	}
	return info
}

// upload stores an image and its output, and returns the event that the bridge sends
// after the image's notification.
func (w *world) upload(key, content string) cloudevents.Event {
	w.t.Helper()
	info := w.put(key, content, nil)
	w.output(info)
	record := objects.Record{EventName: "s3:ObjectCreated:Put"}
	record.S3.Bucket.Name, record.S3.Object.EscapedKey, record.S3.Object.ETag = images, key, info.ETag
	body, err := json.Marshal(map[string]any{"Records": []any{record}})
	if err != nil {
		w.t.Fatal(err)
	}
	if code := notify(w.bridge, "", string(body)); code != http.StatusOK {
		w.t.Fatalf("the notification is answered %d", code)
	}
	events := w.broker.all()
	return events[len(events)-1]
}

// output stores the output of an upload.
func (w *world) output(of objects.Info) {
	w.t.Helper()
	id := execution.ID(of.Key)
	w.put(id+"_resize.jpg", "output", map[string]string{execution.IDMetadata: id, execution.SourceMetadata: of.ETag})
}

// post posts an event to a route of the bridge, as a broker does.
func (w *world) post(route string, e cloudevents.Event) {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodPost, route, nil)
	if err := cehttp.WriteRequest(context.Background(), cloudevents.ToMessage(&e), r); err != nil {
		w.t.Fatal(err)
	}
	httpevent.Encode(r.Header)
	answer := httptest.NewRecorder()
	w.bridge.ServeHTTP(answer, r)
	if answer.Code != http.StatusAccepted {
		w.t.Fatalf("%s answered %d %s", route, answer.Code, answer.Body)
	}
}

// last returns the event that ends the chain of a first event.
func last(cause cloudevents.Event) cloudevents.Event {
	e := cloudevents.NewEvent()
	e.SetID("end of " + cause.ID())
	e.SetType("dev.imageflow.filter.completed.v1")
	e.SetSource("/imageflow/filter")
	e.SetExtension("origin", cause.Extensions()["origin"])
	return e
}

func (w *world) status(key string) string {
	w.t.Helper()
	tags, err := w.store.Tags(w.t.Context(), images, key)
	if err != nil {
		w.t.Fatal(err)
	}
	return tags[execution.StatusTag]
}

func (w *world) allDeadLetters() (all []execution.DeadLetter) {
	w.t.Helper()
	for d, err := range w.deadLetters.List(w.t.Context(), execution.Selection{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

// onlyDeadLetter returns the only dead letter.
func (w *world) onlyDeadLetter() execution.DeadLetter {
	w.t.Helper()
	all := w.allDeadLetters()
	if len(all) != 1 {
		w.t.Fatalf("there are %d dead letters: %+v", len(all), all)
	}
	return all[0]
}

func notify(h http.Handler, token, body string) int {
	r := httptest.NewRequest(http.MethodPost, "/notifications", bytes.NewBufferString(body))
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}
