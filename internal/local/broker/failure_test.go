package broker_test

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/local/broker"
)

func errorData(t *testing.T, d delivered) string {
	t.Helper()
	text, err := base64.StdEncoding.DecodeString(d.attribute("Knativeerrordata"))
	if err != nil {
		t.Errorf("knativeerrordata: %v", err)
	}
	return string(text)
}

const quickly = "backoffPolicy: linear, backoffDelay: PT0.001S"

// answerCases are the answers of a subscriber and the deliveries after them, with two
// retries.
var answerCases = []struct {
	name   string
	answer http.HandlerFunc
	tries  int
	code   string // of the dead letter; empty if there is none
}{
	{"200", answer(200, ""), 1, ""},
	{"202", answer(202, ""), 1, ""},
	{"204", answer(204, ""), 1, ""},
	{"302", answer(302, ""), 1, "302"},
	{"400", answer(400, "why"), 1, "400"},
	{"401", answer(401, ""), 1, "401"},
	{"404", answer(404, ""), 3, "404"},
	{"408", answer(408, ""), 3, "408"},
	{"409", answer(409, ""), 3, "409"},
	{"413", answer(413, ""), 1, "413"},
	{"422", answer(422, ""), 1, "422"},
	{"429", answer(429, ""), 3, "429"},
	{"500", answer(500, ""), 3, "500"},
	{"501", answer(501, ""), 3, "501"},
	{"503", answer(503, ""), 3, "503"},
	{"no event in a success", answer(200, `{"ok":true}`), 3, "502"},
	{"half an event in a success", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Ce-Specversion", "1.0") },
		3, "502"},
	{"a broken connection", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 3, "500"},
	{"no answer in time", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 3, "500"},
}

func TestRetries(t *testing.T) {
	for _, c := range answerCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, dead := subscribe(t, c.answer), subscribe(t, nil)
			b := start(t, broker.Config{}, manifest(sink(dead, "retry: 2, timeout: PT0.1S, "+quickly), map[string]string{"t": on("a", s)}))
			publish(t, b, "a", "{}")
			waitIdle(t, b)
			if n := len(s.got); n != c.tries {
				t.Errorf("%d tries, want %d", n, c.tries)
			}
			if c.code == "" {
				dead.none(t, 0)
			} else if d := dead.next(t); d.attribute("Knativeerrorcode") != c.code || d.attribute("Attempts") != fmt.Sprint(c.tries) {
				t.Errorf("got %v, want the code %s after %d attempts", d.header, c.code, c.tries)
			}
		})
	}
}

func TestDeadLetter_extensions(t *testing.T) {
	long := "line\nü " + strings.Repeat("x", 5000)
	s, dead := subscribe(t, answer(400, long)), subscribe(t, nil)
	b := start(t, broker.Config{}, manifest(sink(dead, "retry: 2"), map[string]string{"t": on("a", s)}))
	h := headerOf("a")
	h.Set("Ce-Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	send(t, b, h, `{"a":1}`)
	d := dead.next(t)
	if d.body != `{"a":1}` || d.attribute("Id") != "1" || d.attribute("Type") != "a" ||
		d.attribute("Traceparent") != h.Get("Ce-Traceparent") {
		t.Errorf("the event has changed: %v %q", d.header, d.body)
	}
	if d.attribute("Knativeerrordest") != s.URL+"/" || d.attribute("Knativeerrorcode") != "400" ||
		d.attribute("Knativebrokerttl") != "" {
		t.Errorf("got %v", d.header)
	}
	if data := errorData(t, d); len(d.attribute("Knativeerrordata")) != 1024 || !strings.HasPrefix(long, data) {
		t.Errorf("knativeerrordata is %q", data)
	}
}

// TestDeadLetter_refusedBySink: it is dropped. Otherwise anyone could fill the queue with
// events that have no valid signature.
func TestDeadLetter_refusedBySink(t *testing.T) {
	s := subscribe(t, answer(401, ""))
	dead := subscribe(t, answer(401, "who made this?"))
	b := start(t, broker.Config{}, manifest(sink(dead, "retry: 5, "+quickly), map[string]string{"t": on("a", s)}))
	publish(t, b, "a", "{}")
	dead.next(t)
	waitIdle(t, b)
	if n := len(dead.got); n != 0 {
		t.Errorf("posted %d more times", n)
	}
}

func TestDeadLetter_repeatedUntilAccepted(t *testing.T) {
	var failing atomic.Bool
	failing.Store(true)
	s := subscribe(t, answer(400, ""))
	dead := subscribe(t, func(w http.ResponseWriter, _ *http.Request) {
		if failing.Load() {
			w.WriteHeader(http.StatusBadRequest) // final for an event, but not for a dead letter
		}
	})
	dir := t.TempDir()
	text := manifest(sink(dead, "retry: 0, "+quickly), map[string]string{"t": on("a", s)})
	b := start(t, broker.Config{Dir: dir}, text)
	publish(t, b, "a", "{}")
	dead.next(t)
	dead.next(t)
	b.Close()
	for len(dead.got) > 0 {
		<-dead.got
	}
	b = start(t, broker.Config{Dir: dir}, text)
	dead.next(t)
	failing.Store(false)
	waitIdle(t, b)
	if n := len(s.got); n != 1 {
		t.Errorf("%d deliveries, want 1", n)
	}
}

func TestFailure_withoutASink(t *testing.T) {
	s := subscribe(t, answer(400, ""))
	b := start(t, broker.Config{}, manifest("{retry: 0}", map[string]string{"t": on("a", s)}))
	publish(t, b, "a", "{}")
	s.next(t)
	waitIdle(t, b)
}

func TestBackoff_doesNotDelayOtherEvents(t *testing.T) {
	s := subscribe(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Ce-Id") == "1" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	b := start(t, broker.Config{Workers: 1}, manifest("{retry: 2, backoffPolicy: exponential, backoffDelay: PT0.2S}",
		map[string]string{"t": on("a", s)}))
	publish(t, b, "a", "{}")
	times := []time.Time{s.next(t).at}
	h := headerOf("a")
	h.Set("Ce-Id", "2")
	send(t, b, h, "{}")
	if d := s.next(t); d.attribute("Id") != "2" {
		t.Error("an event waited for the retry of another event")
	}
	times = append(times, s.next(t).at, s.next(t).at)
	for i, want := range []time.Duration{200 * time.Millisecond, 400 * time.Millisecond} {
		if got := times[i+1].Sub(times[i]); got < want*9/10 || got > want+2*time.Second {
			t.Errorf("wait %d was %v, want %v", i+1, got, want)
		}
	}
}

// TestContract compares the words and the retries that the broker repeats with
// internal/events, which the bridge and the steps use.
func TestContract(t *testing.T) {
	for status := 100; status < 600; status++ {
		if got, want := broker.Retried(status), events.Retried(status); got != want {
			t.Errorf("%d: the broker retries: %v, want %v", status, got, want)
		}
	}
	e := cloudevent.New()
	for _, name := range broker.Extensions() {
		e.SetExtension(name, 1)
	}
	if d := events.ParseDeadLetter(&e); len(d.Event.Extensions()) != 0 || d.Destination == "" || d.Code != 1 ||
		len(d.Answer) == 0 || d.Attempts != 1 {
		t.Errorf("a dead letter is read as %+v", d)
	}
}

func TestSubscriber_startsLater(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	spec := fmt.Sprintf("subscriber: {uri: 'http://%s/'}", address)
	b := start(t, broker.Config{}, manifest("{retry: 100, backoffPolicy: linear, backoffDelay: PT0.02S}",
		map[string]string{"t": spec}))
	publish(t, b, "a", "{}")
	time.Sleep(100 * time.Millisecond) // a few attempts fail
	if l, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	got := make(chan bool, 10)
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { got <- true })}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	select {
	case <-got:
	case <-time.After(5 * time.Second):
		t.Error("the event was not delivered")
	}
	waitIdle(t, b)
}
