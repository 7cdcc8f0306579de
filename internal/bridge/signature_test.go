package bridge_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"imageflow.dev/internal/bridge"
	"imageflow.dev/internal/events"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/signature"
	"imageflow.dev/internal/testing/stores"
)

func newSigner(t *testing.T, keys ...string) *signature.Signer {
	t.Helper()
	s, err := signature.New(keys, false)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// signedWorld is a world whose bridge signs and verifies.
func signedWorld(t *testing.T, signer *signature.Signer) *world {
	t.Helper()
	_, store := stores.Start(t, stores.Local, images, dead)
	b := newBroker(t)
	h, err := bridge.New(bridge.Config{
		Broker: b.URL, Signer: signer, Store: store, DeadLetters: dead, AcceptWithin: time.Minute,
		Sweep: bridge.Sweep{Buckets: []string{images}, Interval: time.Minute, Grace: time.Millisecond, Horizon: time.Hour,
			Rate: 1000},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, store: store, broker: b, bridge: h, deadLetters: execution.NewDeadLetterStore(store, dead)}
}

// answerTo posts an event to a route and returns the status.
func (w *world) answerTo(route string, e cloudevents.Event) int {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodPost, route, nil)
	if err := cehttp.WriteRequest(w.t.Context(), cloudevents.ToMessage(&e), r); err != nil {
		w.t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	w.bridge.ServeHTTP(answer, r)
	return answer.Code
}

// TestOutcome_withoutAValidSignature: it neither tags an upload nor stores a dead letter.
func TestOutcome_withoutAValidSignature(t *testing.T) {
	ours, theirs := newSigner(t, strings.Repeat("a", 32)), newSigner(t, strings.Repeat("b", 32))
	w := signedWorld(t, ours)
	genuine := w.upload("cat.jpg", "x")
	if err := ours.Verify(genuine); err != nil {
		t.Fatalf("the event of an upload: %v", err)
	}
	unsigned, forged, changed := genuine.Clone(), genuine.Clone(), genuine.Clone()
	unsigned.SetExtension(string(events.Signature), nil)
	theirs.Sign(&forged)
	changed.SetExtension("origin", objects.URI(images, "other.jpg", ""))
	for _, route := range []string{"/completed", "/dead-letters"} {
		for name, e := range map[string]cloudevents.Event{"unsigned": unsigned, "another key": forged, "changed": changed} {
			if code := w.answerTo(route, e); code != http.StatusUnauthorized {
				t.Errorf("%s, %s: %d", route, name, code)
			}
		}
	}
	if status := w.status("cat.jpg"); status != "" || len(w.allDeadLetters()) != 0 {
		t.Errorf("tagged %q, dead letters %v", status, w.allDeadLetters())
	}
	genuine.SetExtension("knativeerrorcode", "400") // as a broker adds it
	if code := w.answerTo("/dead-letters", genuine); code != http.StatusAccepted {
		t.Errorf("a genuine dead letter: %d", code)
	}
	if status := w.status("cat.jpg"); status != execution.StatusFailed {
		t.Errorf("tagged %q", status)
	}
}

// TestReplay_afterAKeyRotation: a dead letter contains no signature. With AnyKey, the replay signs its
// event with the current key; without it, it keeps the dead letter, since the key may be wrong. Swept events are signed
// too.
func TestReplay_afterAKeyRotation(t *testing.T) {
	const old, current = "the key before the rotation, 32 bytes", "the key after the rotation, 32 bytes"
	w := signedWorld(t, newSigner(t, old))
	w.put("swept.jpg", "x", nil)
	sweeper := w.bridge.NewSweeper()
	sweeper.Ahead = time.Minute
	if err := sweeper.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	swept := w.broker.all()[0]
	if err := newSigner(t, old).Verify(swept); err != nil {
		t.Fatalf("a swept event: %v", err)
	}
	w.post("/dead-letters", swept)
	found := w.allDeadLetters()
	if len(found) != 1 || strings.Contains(string(found[0].Event), string(events.Signature)) {
		t.Fatalf("dead letters: %v", found)
	}
	rotated, err := bridge.New(bridge.Config{Broker: w.broker.URL, Signer: newSigner(t, current), Store: w.store, DeadLetters: dead})
	if err != nil {
		t.Fatal(err)
	}
	for _, anyKey := range []bool{false, true} {
		var reported error
		err := rotated.Replay(t.Context(), bridge.Replay{
			AnyKey: anyKey, Wait: time.Minute, Report: func(_ execution.DeadLetter, err error) { reported = err },
		})
		if err != nil || (reported == nil) != anyKey || len(w.allDeadLetters()) == 0 != anyKey {
			t.Errorf("with AnyKey %t: %v, %v, %d dead letters left", anyKey, err, reported, len(w.allDeadLetters()))
		}
		if !anyKey && (len(w.broker.all()) != 1 || w.status("swept.jpg") != execution.StatusFailed) {
			t.Errorf("the refused replay sent %v, and the status is %q", w.broker.all()[1:], w.status("swept.jpg"))
		}
	}
	sent := w.broker.all()
	if err := newSigner(t, current).Verify(sent[len(sent)-1]); err != nil || len(sent) != 2 {
		t.Errorf("%d events; the replayed one: %v", len(sent), err)
	}
}
