package bridge_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"imageflow.dev/internal/bridge"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
)

// notification returns the notification for new objects with these keys.
func notification(keys ...string) string {
	var records []string
	for _, key := range keys {
		records = append(records, fmt.Sprintf(
			`{"eventName":"s3:ObjectCreated:Put","s3":{"bucket":{"name":"%s"},"object":{"key":"%s","eTag":"e","sequencer":"1"}}}`,
			images, url.QueryEscape(key)))
	}
	return `{"Records":[` + strings.Join(records, ",") + `]}`
}

// TestHostileKeysAreSent: no key blocks a bucket's notifications, and each arrives
// unchanged in the event's data. The subject is the key, escaped where necessary.
func TestHostileKeysAreSent(t *testing.T) {
	for key, subject := range map[string]string{
		"thumbnails/two\nlines.jpg": "thumbnails/two%0Alines.jpg", "in/\ttab.jpg": "in/%09tab.jpg",
		"\x01.jpg": "%01.jpg", "a\x7f.jpg": "a%7F.jpg",
		"a\xff.jpg": "a%FF.jpg", "100%.jpg": "100%.jpg", "100%25.jpg": "100%25.jpg", `a"b'.jpg`: `a"b'.jpg`, "日本語 ü.jpg": "日本語 ü.jpg",
		"a\r\nCe-Type: x.jpg": "a%0D%0ACe-Type: x.jpg", "\u0085.jpg": "%C2%85.jpg",
		"\ufffe.jpg": "%EF%BF%BE.jpg", "\x00.jpg": "%00.jpg",
		strings.Repeat("\n", 1020) + ".jpg": strings.Repeat("%0A", 1020) + ".jpg",
	} {
		b := newBroker(t)
		if code := notify(newBridge(t, b), "secret", notification(key)); code != http.StatusOK {
			t.Errorf("%q is answered %d", key, code)
			continue
		}
		all := b.all()
		if len(all) != 1 {
			t.Errorf("%q gives %d events", key, len(all))
			continue
		}
		e := all[0]
		var record objects.Record
		if err := json.Unmarshal(e.Data(), &record); err != nil {
			t.Fatal(err)
		}
		if got, err := url.QueryUnescape(record.S3.Object.EscapedKey); err != nil || got != key {
			t.Errorf("%q arrives as %q, %v", key, got, err)
		}
		_, origin, _, err := objects.ParseURI(e.Extensions()["origin"].(string))
		if e.Subject() != subject || err != nil || origin != key || e.Validate() != nil {
			t.Errorf("%q has subject %q, want %q, and origin %q, %v", key, e.Subject(), subject, origin, err)
		}
	}
}

// TestRefusedEventBecomesADeadLetter: an event that the broker will never accept is not
// repeated and blocks no other event. One that it may accept later is repeated.
func TestRefusedEventBecomesADeadLetter(t *testing.T) {
	worlds(t, sweeping, func(t *testing.T, w *world) {
		for _, code := range []int{400, 406, 413, 415, 422, 431, 451} {
			key := fmt.Sprint("permanent", code, ".jpg")
			etag := w.put(key, "x", nil).ETag
			w.broker.answers = map[string]int{key: code}
			before := len(w.broker.all())
			body := strings.ReplaceAll(notification("good.jpg", key, "better.jpg"), `"eTag":"e"`, `"eTag":"`+etag+`"`)
			if got := notify(w.bridge, "", body); got != http.StatusOK || len(w.broker.all()) != before+3 {
				t.Errorf("%d: answered %d, %d events were sent", code, got, len(w.broker.all())-before)
			}
			if l := w.onlyDeadLetter(); l.Key != key || l.Code != code || !strings.Contains(l.Reason, fmt.Sprint(code)) ||
				w.status(key) != execution.StatusFailed {
				t.Errorf("%d: the dead letter is %+v, the status %q", code, l, w.status(key))
			}
			if err := w.deadLetters.Remove(t.Context(), w.onlyDeadLetter()); err != nil {
				t.Fatal(err)
			}
		}
		for _, code := range []int{301, 401, 403, 404, 408, 429, 500, 503, 507} {
			key := fmt.Sprint("temporary", code, ".jpg")
			w.broker.answers = map[string]int{key: code}
			if got := notify(w.bridge, "", notification(key)); got != http.StatusServiceUnavailable || len(w.allDeadLetters()) != 0 {
				t.Errorf("%d: answered %d, %d dead letters", code, got, len(w.allDeadLetters()))
			}
		}
	})
}

// TestRefusalInTheBackground: a late refusal becomes a dead letter too.
func TestRefusalInTheBackground(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		hold := make(chan struct{})
		w.broker.hold, w.broker.status = hold, http.StatusRequestEntityTooLarge
		h, err := bridge.New(bridge.Config{Broker: w.broker.URL, Store: w.store, DeadLetters: dead, AcceptWithin: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		if code := notify(h, "", notification("cat.jpg")); code != http.StatusOK {
			t.Errorf("answered %d", code)
		}
		close(hold)
		if err := h.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if l := w.onlyDeadLetter(); l.Key != "cat.jpg" || l.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("the dead letter is %+v", l)
		}
	})
}

// TestNotificationsAreBounded: a notification with many small records takes little
// memory and becomes one dead letter.
func TestNotificationsAreBounded(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		bodies := []string{
			`{"Records":[` + strings.Repeat("0,", 500_000) + `0]}`, `{"Records":` + strings.Repeat("[", 500_000),
			`{"Records":[{"eventName":"s3:ObjectCreated:Put"` + strings.Repeat(`,"a":{}`, 100_000) + `}]}`,
		}
		for i, body := range bodies {
			if code := notify(w.bridge, "", body); code != http.StatusOK || len(w.allDeadLetters()) != i+1 {
				t.Errorf("%.30s is answered %d, %d dead letters", body, code, len(w.allDeadLetters()))
			}
		}
	})
}

// TestSweepContinuesAfterFailures: the next sweep skips the objects that failed.
func TestSweepContinuesAfterFailures(t *testing.T) {
	worlds(t, sweeping, func(t *testing.T, w *world) {
		w.broker.answers = map[string]int{}
		for i := range 100 {
			key := fmt.Sprintf("in/aa/%03d\n.jpg", i)
			w.put(key, "x", nil)
			w.broker.answers[strings.ReplaceAll(key, "\n", "%0A")] = []int{400, 500}[i%2]
		}
		w.put("in/zz.jpg", "x", nil)
		sweeper := w.bridge.NewSweeper()
		sweeper.Ahead = grace + time.Second
		if err := sweeper.Sweep(t.Context()); err == nil || !strings.Contains(err.Error(), "50 objects failed") {
			t.Errorf("the sweep reports %v", err)
		}
		all := w.broker.all()
		if last := all[len(all)-1]; len(all) != 101 || last.Subject() != "in/zz.jpg" {
			t.Errorf("%d events were sent, the last of %q", len(all), last.Subject())
		}
		if n := len(w.allDeadLetters()); n != 50 || w.status("in/aa/000\n.jpg") != execution.StatusFailed {
			t.Errorf("%d dead letters, and the first object is %q", n, w.status("in/aa/000\n.jpg"))
		}
		if err := sweeper.Sweep(t.Context()); err != nil || len(w.broker.all()) != 101 {
			t.Errorf("at once: %v, %d events more", err, len(w.broker.all())-101)
		}
	})
}

// TestImpossibleOrigins: an outcome about an object that no store can hold is recorded
// or ignored, and the broker does not repeat it.
func TestImpossibleOrigins(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		origins := []string{
			"s3://../x.jpg", "s3://UPPER/x.jpg", "s3://a/x.jpg", "s3://no-such-bucket-here/x.jpg", "s3://images/a%00b.jpg",
			"s3://images/../../x.jpg", "s3://images/" + strings.Repeat("k", 1100) + ".jpg",
			"s3://images/a%ff.jpg", "s3://ab..cd/x.jpg", "s3://images:80/x.jpg", "s3://u:p@images/x.jpg",
			"s3://unreadable/x.jpg", "s3://images/" + strings.Repeat("k/", 600) + "x.jpg",
			"s3://images/a%0Ab.jpg", "s3://images//", "s3:///x", "no URI", "s3://images/dir/?etag=%0A",
		}
		for i, origin := range origins {
			for _, route := range []string{"/completed", "/dead-letters"} {
				code := postRaw(w.bridge, route, "application/json", "{}", map[string]string{"id": fmt.Sprint(i), "origin": origin})
				if code != http.StatusAccepted {
					t.Errorf("%s of %s is answered %d", route, origin, code)
				}
			}
		}
		if n := len(w.allDeadLetters()); n != len(origins) {
			t.Errorf("%d dead letters, want %d", n, len(origins))
		}
	})
}

// completed posts the last event of an execution, which is accepted.
func (w *world) completed(origin, data string) {
	w.t.Helper()
	code := postRaw(w.bridge, "/completed", "application/json", data, map[string]string{"origin": origin})
	if code != http.StatusAccepted {
		w.t.Errorf("%s is answered %d", origin, code)
	}
}

// TestCompleted_withoutAnOutput: an event alone does not complete an upload.
func TestCompleted_withoutAnOutput(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		h, err := bridge.New(bridge.Config{
			Broker: w.broker.URL, Store: w.store, DeadLetters: dead, AcceptWithin: time.Minute, OutcomeBuckets: []string{"others"},
		})
		if err != nil {
			t.Fatal(err)
		}
		done, idle := w.upload("done.jpg", "x"), w.put("idle.jpg", "x", nil)
		old := w.put("old.jpg", "v1", nil)
		w.output(old)
		replaced := w.put("old.jpg", "v2", nil)
		origin := done.Extensions()["origin"].(string)
		for _, route := range []string{"/completed", "/dead-letters"} {
			if code := postRaw(h, route, "application/json", "{}", map[string]string{"origin": origin}); code != http.StatusAccepted {
				t.Errorf("%s is answered %d", route, code)
			}
		}
		postRaw(w.bridge, "/dead-letters", "application/json", "{}", map[string]string{"origin": objects.URI(images, "done.jpg", "")})
		if got := w.status("done.jpg"); got != "" {
			t.Errorf("outside OutcomeBuckets, the status is %q", got)
		}
		for key, etag := range map[string]string{"idle.jpg": idle.ETag, "old.jpg": replaced.ETag} {
			for _, etag := range []string{etag, "another", ""} {
				w.completed(objects.URI(images, key, etag), "{}")
			}
			if got := w.status(key); got != "" {
				t.Errorf("without an output of its version, %s is %q", key, got)
			}
		}
		elsewhere := w.put("elsewhere/x.png", "output", execution.ObjectMetadata("idle", images, "elsewhere/x.png"))
		data := `{"result":{"output_image":{"bucket":"images","object_key":"` + elsewhere.Key + `"}}}`
		w.completed(objects.URI(images, "idle.jpg", idle.ETag), data)
		if got := w.status("idle.jpg"); got != execution.StatusCompleted {
			t.Errorf("with the output that its last event names, the status is %q", got)
		}
	})
}

// TestOutcomesAreBounded: an event with too many attributes is refused.
func TestOutcomesAreBounded(t *testing.T) {
	b := newBroker(t)
	event := `{"specversion":"1.0","id":"1","source":"s","type":"t"` + strings.Repeat(`,"a":""`, 500_000) + `}`
	for _, route := range []string{"/completed", "/dead-letters"} {
		if code := postRaw(newBridge(t, b), route, "application/cloudevents+json", event, nil); code != http.StatusBadRequest {
			t.Errorf("%s answers %d", route, code)
		}
	}
}
