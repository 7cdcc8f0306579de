package broker_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"imageflow.dev/internal/local/broker"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		runChild(dir) // never returns
	}
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the tests cause failures
	os.Exit(m.Run())
}

// delivered is an event that a subscriber has received.
type delivered struct {
	at     time.Time
	header http.Header
	body   string
}

func (d delivered) attribute(name string) string { return d.header.Get("Ce-" + name) }

// subscriber records the events that it receives.
type subscriber struct {
	*httptest.Server
	got chan delivered
}

func subscribe(t testing.TB, answer http.HandlerFunc) *subscriber {
	s := &subscriber{got: make(chan delivered, 10000)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.got <- delivered{at: time.Now(), header: r.Header, body: string(body)}
		if answer == nil {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *subscriber) next(t testing.TB) delivered {
	t.Helper()
	select {
	case d := <-s.got:
		return d
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was delivered")
		return delivered{}
	}
}

func (s *subscriber) none(t testing.TB, within time.Duration) {
	t.Helper()
	select {
	case d := <-s.got:
		t.Errorf("delivered %v %s", d.header, d.body)
	case <-time.After(within):
	}
}

func answer(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// reply answers with an event of a type.
func reply(kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		maps.Copy(w.Header(), headerOf(kind))
		w.Header().Set("Ce-Traceparent", r.Header.Get("Ce-Traceparent"))
		_, _ = io.WriteString(w, `{"from":"`+r.Header.Get("Ce-Type")+`"}`)
	}
}

func headerOf(kind string) http.Header {
	h := http.Header{}
	for name, value := range map[string]string{"Id": "1", "Source": "/test", "Type": kind, "Specversion": "1.0"} {
		h.Set("Ce-"+name, value)
	}
	h.Set("Content-Type", "application/json")
	return h
}

// manifest returns the manifests of a Broker and of Triggers. A trigger is the YAML of its
// spec without the broker.
func manifest(delivery string, triggers map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: eventing.knative.dev/v1\nkind: Broker\n"+
		"metadata: {name: default, namespace: test}\nspec:\n  delivery: %s\n", delivery)
	for name, spec := range triggers {
		fmt.Fprintf(&b, "---\napiVersion: eventing.knative.dev/v1\nkind: Trigger\n"+
			"metadata: {name: %s, namespace: test}\nspec: {broker: default, %s}\n", name, spec)
	}
	return b.String()
}

func on(kind string, to *subscriber) string {
	return fmt.Sprintf("filters: [{exact: {type: %s}}], subscriber: {uri: '%s/'}", kind, to.URL)
}

func sink(to *subscriber, rest string) string {
	return fmt.Sprintf("{deadLetterSink: {uri: '%s/'}, %s}", to.URL, rest)
}

func none(_, _ string) (string, bool) { return "", false }

// ackWait is short, so that the tests of crashes are.
const ackWait = 500 * time.Millisecond

func start(t testing.TB, c broker.Config, text string) *broker.Broker {
	t.Helper()
	m, err := broker.ReadManifests(fstest.MapFS{"m.yaml": {Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	c.Address, c.Manifests, c.Resolve, c.AckWait = "127.0.0.1:0", m, none, ackWait
	b, err := broker.Start(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func send(t testing.TB, b *broker.Broker, header http.Header, body string) int {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, b.URL("test", "default"), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func publish(t testing.TB, b *broker.Broker, kind, body string) {
	t.Helper()
	if code := send(t, b, headerOf(kind), body); code != http.StatusAccepted {
		t.Errorf("the broker answered %d", code)
	}
}

// waitIdle waits until no event is pending. An event is counted shortly after its
// producer's answer, so waitIdle checks several times.
func waitIdle(t testing.TB, b *broker.Broker) {
	t.Helper()
	var counts map[string]int
	idle := 0
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		var err error
		if counts, err = b.Pending(context.Background()); err != nil {
			t.Fatal(err)
		}
		idle++
		for _, n := range counts {
			if n > 0 {
				idle = 0
			}
		}
		if idle == 5 {
			return
		}
	}
	t.Errorf("still pending: %v", counts)
}
