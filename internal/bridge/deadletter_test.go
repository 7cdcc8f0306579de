package bridge_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"imageflow.dev/internal/bridge"
)

// postRaw posts an event in binary mode to a route of the bridge.
func postRaw(h http.Handler, route, contentType, data string, attributes map[string]string) int {
	r := httptest.NewRequest(http.MethodPost, route, strings.NewReader(data))
	r.Header.Set("Content-Type", contentType)
	for name, value := range map[string]string{"id": "1", "type": "t", "source": "s", "specversion": "1.0"} {
		r.Header.Set("Ce-"+name, value)
	}
	for name, value := range attributes {
		r.Header.Set("Ce-"+name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

// TestNestedDeadLetterTakesLittleMemory: the dead letter of an event of 18 kB is little larger, and
// a replay sends the event unchanged.
func TestNestedDeadLetterTakesLittleMemory(t *testing.T) {
	deep := strings.Repeat("[", 9000) + strings.Repeat("]", 9000)
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if code := postRaw(w.bridge, "/dead-letters", "application/json", deep, nil); code != http.StatusAccepted {
			t.Fatalf("answered %d", code)
		}
		runtime.ReadMemStats(&after)
		if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 32 {
			t.Errorf("a dead letter of 18 kB took %d MiB", took)
		}
		if got := w.replay(bridge.Replay{}); len(got) != 1 || !strings.HasSuffix(got[0], "sent") {
			t.Fatalf("replayed: %q", got)
		}
		if got := string(w.broker.all()[0].Data()); got != deep {
			t.Errorf("the replayed event has other data, of %d bytes", len(got))
		}
	})
}

// TestReplayedDataIsUnchanged: this includes data that is not JSON.
func TestReplayedDataIsUnchanged(t *testing.T) {
	kinds := map[string][]string{
		"application/json": {
			`{}`, "{ \"b\" : 1.0,\n\"a\":\"<\\u2028\u2028>\" }", " 7 ", `{"half":`, "\xff", `"\ud800"`, "",
			strings.Repeat("[", 200) + strings.Repeat("]", 200),
		},
		"application/cloudevent-data+json; charset=utf-8": {`{"a": 1}`},
		"text/plain":               {"plain <text>\n", "\x00\xff", `{"a": 1}`},
		"application/octet-stream": {"\x00\x01\x02"},
	}
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		for contentType, all := range kinds {
			for _, data := range all {
				sent := len(w.broker.all())
				if code := postRaw(w.bridge, "/dead-letters", contentType, data, nil); code != http.StatusAccepted {
					t.Fatalf("%s %q: answered %d", contentType, data, code)
				}
				w.replay(bridge.Replay{})
				events := w.broker.all()
				if len(events) != sent+1 {
					t.Errorf("%s %q: %d events were sent", contentType, data, len(events)-sent)
				} else if e := events[sent]; string(e.Data()) != data || e.DataContentType() != contentType {
					t.Errorf("%s %q came back as %s %q", contentType, data, e.DataContentType(), e.Data())
				}
			}
		}
	})
}

// TestReplay_unreadableDeadLetter: the replay reports it, and one whose event was too
// large to keep, and continues.
func TestReplay_unreadableDeadLetter(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		for _, key := range []string{"aa/x/1.json", images + "/cat/0.json"} {
			if _, err := w.store.Put(t.Context(), dead, key, "application/json", []byte("no letter"), nil); err != nil {
				t.Fatal(err)
			}
		}
		large := strings.Repeat("x", 4<<20-1)
		if code := postRaw(w.bridge, "/dead-letters", "application/json", large,
			map[string]string{"id": "large", "more": strings.Repeat("\u2028", 300<<10)}); code != http.StatusAccepted {
			t.Fatalf("answered %d", code)
		}
		cat := w.upload("cat.jpg", "x")
		w.post("/dead-letters", failed(cat, 400, notAnImage))
		got := strings.Join(w.replay(bridge.Replay{}), ", ")
		if got != " skipped,  skipped, cat sent,  skipped" {
			t.Errorf("replayed: %q", got)
		}
		w.post("/dead-letters", failed(cat, 400, notAnImage))
		w.post("/completed", last(cat))
		if got := w.status("cat.jpg"); got != "completed" {
			t.Errorf("the status is %q", got)
		}
	})
}

// TestReasonOfADeepAnswer: the answer is read only up to its message.
func TestReasonOfADeepAnswer(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		answer := `{"details":` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `,"message":"too deep"}`
		e := cloudevents.NewEvent()
		e.SetID("1")
		e.SetType("t")
		e.SetSource("s")
		w.post("/dead-letters", failed(e, 400, answer))
		if l := w.onlyDeadLetter(); l.Reason != "too deep" || !json.Valid(l.Event) {
			t.Errorf("got %+v", l)
		}
	})
}
