package bridge_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"imageflow.dev/internal/bridge"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
)

// notAnImage is the answer of a step to an object that is not an image.
const notAnImage = `{"code":3,"message":"input_image: not an image",` +
	`"details":[{"@type":"type.googleapis.com/google.rpc.BadRequest"}]}`

// failed returns an event as a dead letter of Knative's channels or the local broker.
func failed(e cloudevents.Event, code int, answer string) cloudevents.Event {
	e = e.Clone()
	e.SetExtension("knativeerrordest", "http://resize-grpc-service/?target_width=800")
	e.SetExtension("knativeerrorcode", code)
	e.SetExtension("knativeerrordata", base64.StdEncoding.EncodeToString([]byte(answer)))
	return e
}

func TestCompletedTagsTheSource(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		e := w.upload("in/cat.jpg", "v1")
		w.post("/completed", last(e))
		if got := w.status("in/cat.jpg"); got != execution.StatusCompleted {
			t.Errorf("the status is %q", got)
		}
		replaced := w.upload("in/cat.jpg", "v2")
		w.post("/completed", last(e))
		w.post("/dead-letters", failed(e, 400, notAnImage))
		if got := w.status("in/cat.jpg"); got != "" {
			t.Errorf("the new version has the outcome of the old: %q", got)
		}
		if err := w.store.Remove(t.Context(), images, "in/cat.jpg"); err != nil {
			t.Fatal(err)
		}
		w.post("/completed", last(replaced)) // is accepted
	})
}

// TestCompletedOutlastsTheUpload: an execution stays completed when its upload is deleted, also if that was before the end.
func TestCompletedOutlastsTheUpload(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		for _, isEarly := range []bool{false, true} {
			key := fmt.Sprintf("in/deleted-%v.jpg", isEarly)
			first := w.upload(key, key)
			end := w.leaf(first, w.stat(key), "filter", "", "jpg")
			if !isEarly {
				w.post("/completed", end)
			}
			if err := w.store.Remove(t.Context(), images, key); err != nil {
				t.Fatal(err)
			}
			w.post("/completed", end)
			found, err := execution.Find(t.Context(), w.store, w.deadLetters, images, execution.ID(key))
			if err != nil || found.State != execution.Completed {
				t.Errorf("%s is %+v: %v", key, found.State, err)
			}
		}
	})
}

// failsAgain reports another failure of e after the failure in l.
func (w *world) failsAgain(e cloudevents.Event, l execution.DeadLetter) {
	w.t.Helper()
	again := failed(e, 503, "no healthy upstream")
	again.SetExtension("attempts", 6)
	again.SetExtension("knativebrokerttl", 3)
	w.post("/dead-letters", again)
	second := w.onlyDeadLetter()
	if second.Failures != 2 || second.Reason != "no healthy upstream" || second.Attempts != 6 ||
		!second.First.Equal(l.First) || !second.Last.After(l.Last) {
		w.t.Errorf("after the second failure it is %+v", second)
	}
	if !bytes.Equal(second.Event, l.Event) {
		w.t.Errorf("its event is now %s", second.Event)
	}
}

func TestDeadLetterHasTheReason(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		e := w.upload("in/cat.jpg", "not an image")
		w.post("/dead-letters", failed(e, 400, notAnImage))
		if got := w.status("in/cat.jpg"); got != execution.StatusFailed {
			t.Errorf("the status is %q", got)
		}
		l := w.onlyDeadLetter()
		origin := e.Extensions()["origin"].(string)
		if l.Execution != "in/cat" || l.Bucket != images || l.Key != "in/cat.jpg" || l.ETag == "" ||
			!strings.Contains(origin, l.ETag) ||
			l.Reason != "input_image: not an image" || l.Code != 400 || l.Attempts != 1 || l.Failures != 1 ||
			l.Step != "http://resize-grpc-service/?target_width=800" || l.EventID != e.ID() ||
			l.Object != images+"/in/cat/"+e.ID()+".json" {
			t.Errorf("the dead letter is %+v", l)
		}
		var kept cloudevents.Event
		if err := json.Unmarshal(l.Event, &kept); err != nil || kept.String() != e.String() {
			t.Errorf("the dead letter has the event\n%v, want\n%v (%v)", kept, e, err)
		}
		w.failsAgain(e, l)
		w.post("/completed", last(e)) // the sweeper tried again, with success
		if got := w.status("in/cat.jpg"); got != execution.StatusCompleted || len(w.allDeadLetters()) != 0 {
			t.Errorf("after all: %q, %v", got, w.allDeadLetters())
		}
		w.post("/dead-letters", failed(e, 503, "a repetition"))
		if got := w.status("in/cat.jpg"); got != execution.StatusCompleted || w.onlyDeadLetter().Reason != "a repetition" {
			t.Errorf("a failed repetition of what is done: %q, %v", got, w.allDeadLetters())
		}
	})
}

// TestReasons checks the reasons for several answers in dead letters.
func TestReasons(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		for i, c := range []struct {
			code      int
			answer    string
			reason    string
			attempts  int
			raw, bare bool
		}{
			{code: 400, answer: notAnImage[:70], reason: "input_image: not an image", attempts: 1}, // cut off as Knative does
			{code: 422, answer: "plain text\n", reason: "plain text", attempts: 1},
			{code: 500, answer: "dispatch error: connection refused", reason: "dispatch error: connection refused"},
			{code: 429, answer: "", reason: "answered 429 without a reason"},
			{code: 400, answer: "not base64!", raw: true, reason: "not base64!", attempts: 1},
			{bare: true, reason: "unknown: the broker gives no reason"},
		} {
			e := w.upload(fmt.Sprintf("%d.jpg", i), "x")
			dead := failed(e, c.code, c.answer)
			if c.raw {
				dead.SetExtension("knativeerrordata", c.answer)
			}
			if c.bare {
				dead = e
			}
			w.post("/dead-letters", dead)
			got, err := w.deadLetters.Load(t.Context(), fmt.Sprintf("%s/%d/%s.json", images, i, e.ID()))
			if err != nil || got.Reason != c.reason || got.Code != c.code || got.Attempts != c.attempts {
				t.Errorf("%d %q: got %+v, %v", c.code, c.answer, got, err)
			}
		}
	})
}

// TestCompleted_objectWithTooManyTags: the outcome becomes a dead letter, and the broker
// does not repeat it.
func TestCompleted_objectWithTooManyTags(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		e := w.upload("cat.jpg", "x")
		for i := range 10 {
			if err := w.store.SetTags(t.Context(), images, "cat.jpg", "", map[string]string{fmt.Sprint("own", i): "x"}); err != nil {
				t.Fatal(err)
			}
		}
		w.post("/completed", last(e))
		l := w.onlyDeadLetter()
		if !strings.Contains(l.Reason, "completed") || !strings.Contains(l.Reason, "cannot be tagged") || l.Execution != "cat" {
			t.Errorf("the dead letter is %+v", l)
		}
		w.post("/dead-letters", failed(e, 400, notAnImage))
		if n := len(w.allDeadLetters()); n != 2 {
			t.Errorf("there are %d dead letters", n)
		}
	})
}

// TestMalformedNotificationsAreKept: they become dead letters, as does an event that names no
// object.
func TestMalformedNotificationsAreKept(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		good := fill("s3:ObjectCreated:Put", "")
		half := strings.Replace(good, `{"Records":[`, `{"Records":[{"eventName":"s3:ObjectCreated:Put"},7,`, 1)
		for i, body := range []string{"no JSON", `{}`, `{"Records":[{"eventName":"s3:ObjectCreated:Put"}]}`, half,
			strings.Repeat("x", 2<<20), "no JSON"} {
			if code := notify(w.bridge, "", body); code != http.StatusOK {
				t.Errorf("%d is answered %d", i, code)
			}
		}
		found := w.allDeadLetters()
		if len(found) != 5 || len(w.broker.all()) != 1 {
			t.Errorf("%d dead letters, %d events", len(found), len(w.broker.all()))
		}
		for _, l := range found {
			if !strings.HasPrefix(l.Object, "unreadable/") || l.Reason == "" || l.Message == "" {
				t.Errorf("got %+.200v", l)
			}
			if l.Message == "no JSON" && l.Failures != 2 {
				t.Errorf("received twice, but it is %+v", l)
			}
		}

		foreign := cloudevents.NewEvent()
		foreign.SetID("1")
		foreign.SetType("com.example")
		foreign.SetSource("/elsewhere")
		foreign.SetExtension("origin", "no URI")
		w.post("/dead-letters", failed(foreign, 400, "what is this"))
		if l, err := w.deadLetters.Load(t.Context(), "unreadable/1.json"); err != nil || l.EventType != "com.example" {
			t.Errorf("an event about nothing: %+v, %v", l, err)
		}

		answer := httptest.NewRecorder()
		w.bridge.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/completed", strings.NewReader("hello")))
		if answer.Code != http.StatusBadRequest {
			t.Errorf("no event at all: answered %d", answer.Code)
		}
	})
}

// TestStoreUnavailable: the broker and the store repeat their requests.
func TestStoreUnavailable(t *testing.T) {
	store, err := objects.New(objects.Config{Endpoint: "127.0.0.1:1", AccessKey: "a", SecretKey: "b", Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	h, err := bridge.New(bridge.Config{Broker: newBroker(t).URL, Store: store, DeadLetters: dead, AcceptWithin: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	for route, body := range map[string]string{"/notifications": "no JSON", "/completed": "{}", "/dead-letters": "{}"} {
		r := httptest.NewRequest(http.MethodPost, route, strings.NewReader(body))
		for name, value := range map[string]string{
			"Ce-Id": "1", "Ce-Type": "t", "Ce-Source": "s", "Ce-Specversion": "1.0", "Ce-Origin": "s3://images/cat.jpg?etag=e",
			"Content-Type": "application/json",
		} {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusServiceUnavailable {
			t.Errorf("%s answered %d", route, w.Code)
		}
	}
}

// TestFailedWebhookIsNotAFailedChain: the dead letter of a webhook changes no tag, and the end of the chain
// does not remove it. A replay sends it.
func TestFailedWebhookIsNotAFailedChain(t *testing.T) {
	worlds(t, bridge.Sweep{}, func(t *testing.T, w *world) {
		e := w.upload("in/cat.jpg", "v1")
		webhook := last(e)
		webhook.SetExtension("knativeerrordest", "http://notify.image-processing.svc.cluster.local/?hook=shop")
		webhook.SetExtension("knativeerrorcode", 410)
		w.post("/dead-letters", webhook)
		if got := w.status("in/cat.jpg"); got != "" {
			t.Errorf("after the webhook failed, the status is %q", got)
		}
		w.post("/dead-letters", failed(e, 503, "no healthy upstream"))
		w.post("/completed", last(e))
		if got := w.status("in/cat.jpg"); got != execution.StatusCompleted {
			t.Errorf("after the end of the chain, the status is %q", got)
		}
		left := w.allDeadLetters()
		if len(left) != 1 || left[0].Code != 410 {
			t.Fatalf("dead letters after the end of the chain: %+v", left)
		}
		w.replay(bridge.Replay{})
		if sent := w.broker.all(); sent[len(sent)-1].ID() != webhook.ID() {
			t.Errorf("the replay sent %v", sent)
		}
	})
}
