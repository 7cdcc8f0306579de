package notify_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/httpevent"
	"imageflow.dev/internal/notify"
	"imageflow.dev/internal/signature"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// The secrets of the hook; old is from the example of the specification.
const (
	secretOld = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	secretNew = "whsec_bm90LXRoZS1zZWNyZXQtb2YtdGhlLWV4YW1wbGUh"
)

// request is what a receiver got.
type request struct {
	header http.Header
	body   []byte
}

// receiver is a webhook that answers with the statuses in turn, and then with 204.
type receiver struct {
	*httptest.Server
	got      []request
	statuses []int
	header   http.Header
}

func newReceiver(t *testing.T, statuses ...int) *receiver {
	r := &receiver{statuses: statuses, header: http.Header{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			t.Error(err)
		}
		r.got = append(r.got, request{q.Header, body})
		status := http.StatusNoContent
		if len(r.statuses) > 0 {
			status, r.statuses = r.statuses[0], r.statuses[1:]
		}
		for name, values := range r.header {
			w.Header()[name] = values
		}
		w.WriteHeader(status)
		if status != http.StatusNoContent {
			_, _ = io.WriteString(w, "the shop is closed"+strings.Repeat("!", 4096))
		}
	}))
	t.Cleanup(r.Close)
	return r
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// timeout of a delivery; a test that waits for it sets a short one.
var timeout = time.Minute

func handler(t *testing.T, url string, networks ...netip.Prefix) http.Handler {
	t.Helper()
	hook := notify.Hook{URL: url, Secrets: []string{secretNew, secretOld}}
	if err := hook.Check("shop"); err != nil {
		t.Fatal(err)
	}
	return notify.New(notify.Config{
		Hooks: map[string]notify.Hook{"shop": hook}, Timeout: timeout, PrivateNetworks: networks,
	})
}

// finished returns the event of a finished step on an upload.
func finished(t *testing.T) cloudevent.Event {
	t.Helper()
	cause := cloudevent.New()
	cause.SetID("1")
	cause.SetSource("minio:s3..images")
	cause.SetType(events.ObjectCreatedPrefix + "Put")
	cause.SetTime(time.Date(2026, 11, 28, 8, 0, 0, 0, time.UTC))
	cause.SetExtension("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	result := &imageflowv1.ProcessingResult{
		OutputImage: &imageflowv1.ImageData{Bucket: "images", ObjectKey: "cat_filter.jpg", Etag: "out"},
		Metadata: map[string]string{
			"execution_id": "cat", "source_bucket": "images", "source_key": "cat.jpg", "source_etag": "v1",
		},
	}
	e, err := events.NewStepCompleted(t.Context(), &cause, "filter", "", &imageflowv1.FilterResponse{Result: result})
	if err != nil {
		t.Fatal(err)
	}
	return *e
}

// send posts an event to the handler and returns the answer.
func send(t *testing.T, h http.Handler, query string, e cloudevent.Event) *http.Response {
	t.Helper()
	r, err := httpevent.NewRequest(t.Context(), "http://notify/?"+query, e)
	if err != nil {
		t.Fatal(err)
	}
	if r.Body == nil { // the body of a server's request is never nil
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func TestReceiverGetsASignedMessage(t *testing.T) {
	r := newReceiver(t)
	if got := send(t, handler(t, r.URL, loopback...), "hook=shop", finished(t)); got.StatusCode != http.StatusAccepted {
		t.Fatalf("answered %d", got.StatusCode)
	}
	for _, secret := range []string{secretOld, secretNew} {
		verifier, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := verifier.Verify(r.got[0].body, r.got[0].header); err != nil {
			t.Errorf("verifier with %s: %v", secret, err)
		}
	}
	body := string(r.got[0].body)
	for _, want := range []string{
		`"type":"dev.imageflow.filter.completed.v1"`, `"execution_id":"cat"`, `"bucket":"images","object_key":"cat.jpg","etag":"v1"`,
		`"began":"2026-11-28T08:00:00Z"`, `"step":"filter","response":{"result":{`, `"object_key":"cat_filter.jpg"`,
	} {
		if !strings.Contains(strings.ReplaceAll(body, `": `, `":`), want) {
			t.Errorf("the message %s has no %s", body, want)
		}
	}
	if got := r.got[0].header.Get("Traceparent"); got != "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" {
		t.Errorf("traceparent %q", got)
	}
}

// TestUploadsAreMessages: progress begins with the upload.
func TestUploadsAreMessages(t *testing.T) {
	r := newReceiver(t)
	e := cloudevent.New()
	e.SetID("1")
	e.SetSource("minio:s3..images")
	e.SetType(events.ObjectCreatedPrefix + "Put")
	e.SetTime(time.Date(2026, 11, 28, 8, 0, 0, 0, time.UTC))
	events.Origin{Bucket: "images", Key: "in/cat.png", ETag: "v1"}.Set(&e)
	if got := send(t, handler(t, r.URL, loopback...), "hook=shop", e); got.StatusCode != http.StatusAccepted {
		t.Fatalf("answered %d", got.StatusCode)
	}
	if body := string(r.got[0].body); !strings.Contains(body, `"execution_id":"in/cat.png"`) || strings.Contains(body, "response") {
		t.Errorf("the message is %s", body)
	}
}

// TestIDIsTheSameForARepetition, and only for it.
func TestIDIsTheSameForARepetition(t *testing.T) {
	r := newReceiver(t, http.StatusInternalServerError)
	h := handler(t, r.URL, loopback...)
	e := finished(t)
	send(t, h, "hook=shop", e)
	e.SetID("of the sweeper")
	send(t, h, "hook=shop", e)
	events.Origin{Bucket: "images", Key: "cat.jpg", ETag: "v2"}.Set(&e)
	send(t, h, "hook=shop", e)
	id := func(i int) string { return r.got[i].header.Get("webhook-id") }
	if !strings.HasPrefix(id(0), "msg_") || id(0) != id(1) || id(1) == id(2) {
		t.Errorf("ids %s, %s, %s", id(0), id(1), id(2))
	}
}

func TestAnswerReportsTheOutcome(t *testing.T) {
	for _, c := range []struct{ receiver, want int }{
		{200, 202}, {204, 202}, {302, 422}, {400, 400}, {401, 401}, {404, 422}, {408, 503}, {409, 422}, {410, 410}, {425, 503},
		{429, 429}, {500, 502}, {501, 502}, {503, 502},
	} {
		r := newReceiver(t, c.receiver)
		r.header.Set("Location", r.URL+"/elsewhere")
		r.header.Set("Retry-After", "7")
		got := send(t, handler(t, r.URL, loopback...), "hook=shop", finished(t))
		text, _ := io.ReadAll(got.Body)
		retried := c.receiver >= 500 || slices.Contains([]int{408, 425, 429}, c.receiver)
		if got.StatusCode != c.want || events.Retried(c.want) != retried {
			t.Errorf("%d became %d, want %d", c.receiver, got.StatusCode, c.want)
		}
		if len(r.got) != 1 {
			t.Errorf("%d: %d requests", c.receiver, len(r.got))
		}
		if c.want == 202 && len(text) > 0 || len(text) > 1024 {
			t.Errorf("%d: the answer has %d bytes", c.receiver, len(text))
		}
		if c.want == 429 && got.Header.Get("Retry-After") != "7" {
			t.Errorf("%d: Retry-After is %q", c.receiver, got.Header.Get("Retry-After"))
		}
	}
}

func TestDeliveriesThatGetNoAnswer(t *testing.T) {
	timeout = 200 * time.Millisecond
	defer func() { timeout = time.Minute }()
	stop := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stop }))
	defer silent.Close()
	defer close(stop)
	closed := newReceiver(t)
	closed.Close()
	for _, c := range []struct {
		url, reason string
		networks    []netip.Prefix
		want        int
	}{
		{silent.URL, "no answer within 200ms", loopback, 504},
		{closed.URL, "refused", loopback, 503},
		{silent.URL + "/a-secret-path", "HOOK_PRIVATE_NETWORKS", nil, 422},
		{"http://169.254.169.254/a-secret-path", "HOOK_PRIVATE_NETWORKS", loopback, 422},
	} {
		got := send(t, handler(t, c.url, c.networks...), "hook=shop", finished(t))
		text, _ := io.ReadAll(got.Body)
		if got.StatusCode != c.want || !strings.Contains(string(text), c.reason) || strings.Contains(string(text), "secret-path") {
			t.Errorf("%s: %d %s, want %d with %q", c.url, got.StatusCode, text, c.want, c.reason)
		}
	}
}

// TestEventsThatNoHookGets: they are answered with 400 or 401, and the receiver is not called.
func TestEventsThatNoHookGets(t *testing.T) {
	r := newReceiver(t)
	h := handler(t, r.URL, loopback...)
	other := finished(t)
	other.SetType("com.example.other")
	empty := finished(t)
	_ = empty.SetData("application/json", []byte(`{}`))
	timeless := finished(t)
	timeless.SetTime(time.Time{})
	for _, c := range []struct {
		query  string
		event  cloudevent.Event
		reason string
	}{
		{"hook=shop", timeless, "time: the event"},
		{"hook=other", finished(t), "HOOK_URLS has shop"}, {"", finished(t), "hook=NAME"},
		{"hook=shop&url=http://other", finished(t), "hook=NAME"},
		{"hook=shop", other, "com.example.other"}, {"hook=shop", empty, "response of a step"},
	} {
		got := send(t, h, c.query, c.event)
		if text, _ := io.ReadAll(got.Body); got.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), c.reason) {
			t.Errorf("?%s: %d %s, want %q", c.query, got.StatusCode, text, c.reason)
		}
	}
	signer, err := signature.New([]string{"a key of events for these tests only"}, false)
	if err != nil {
		t.Fatal(err)
	}
	h = notify.New(notify.Config{Hooks: map[string]notify.Hook{"shop": {URL: r.URL}}, Signer: signer})
	if got := send(t, h, "hook=shop", finished(t)); got.StatusCode != http.StatusUnauthorized {
		t.Errorf("an unsigned event was answered with %d", got.StatusCode)
	}
	if len(r.got) != 0 {
		t.Errorf("the receiver got %d requests", len(r.got))
	}
}

// TestRequestsThatAreNoEvents: a batch is 415, and an event that the specification forbids is 400 with the attribute's name.
func TestRequestsThatAreNoEvents(t *testing.T) {
	h := handler(t, newReceiver(t).URL)
	for _, c := range []struct {
		contentType, body, says string
		code                    int
	}{
		{"application/cloudevents-batch+json", "[]", "a request of its own", http.StatusUnsupportedMediaType},
		{"application/cloudevents+json", `{"specversion":"1.0","id":"","source":"s","type":"t"}`, `id: ""`, http.StatusBadRequest},
		{"application/cloudevents+json", strings.Repeat(" ", 5<<20), "longer than", http.StatusRequestEntityTooLarge},
	} {
		r := httptest.NewRequest(http.MethodPost, "/?hook=shop", strings.NewReader(c.body))
		r.Header.Set("Content-Type", c.contentType)
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != c.code || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s: %d %s", c.contentType, w.Code, w.Body)
		}
	}
}
