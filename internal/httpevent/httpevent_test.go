package httpevent_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"imageflow.dev/internal/httpevent"
)

func newEvent(subject string) event.Event {
	e := event.New()
	e.SetID("1")
	e.SetType("t")
	e.SetSource("s")
	e.SetSubject(subject)
	e.SetExtension("origin", "s3://b/"+subject)
	_ = e.SetData(event.ApplicationJSON, []byte(`{"a": 1}`))
	return e
}

// TestAttributes_sentAndReceived: the header has the form of the binding, and the received
// attributes equal the sent ones.
func TestAttributes_sentAndReceived(t *testing.T) {
	for subject, header := range map[string]string{
		"in/cat.jpg": "in/cat.jpg", "100%25.jpg": "100%2525.jpg", "a b \"c\"": "a%20b%20%22c%22", "": "",
		"日本語.jpg": "%E6%97%A5%E6%9C%AC%E8%AA%9E.jpg", "Euro € 😀": "Euro%20%E2%82%AC%20%F0%9F%98%80", "a+b": "a+b", "%zz": "%25zz",
	} {
		var got *event.Event
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if h := r.Header.Get("Ce-Subject"); h != header {
				t.Errorf("%q is sent as %q, want %q", subject, h, header)
			}
			httpevent.Decode(r.Header)
			var err error
			if got, err = cehttp.NewEventFromHTTPRequest(r); err != nil {
				t.Error(err)
			}
			if err := httpevent.WriteResponse(r.Context(), w, got); err != nil {
				t.Error(err)
			}
		}))
		r, err := httpevent.NewRequest(t.Context(), server.URL, newEvent(subject))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(body) != `{"a": 1}` || resp.Header.Get("Ce-Subject") != header ||
			resp.Header.Get("Content-Type") != event.ApplicationJSON {
			t.Errorf("%q is answered with %v %s, %v", subject, resp.Header, body, err)
		}
		if got.Subject() != subject || got.Extensions()["origin"] != "s3://b/"+subject || string(got.Data()) != `{"a": 1}` {
			t.Errorf("%q arrives as %v", subject, got)
		}
		server.Close()
	}
}

// TestDecode: values that are not encoded, or whose decoded form is not a valid attribute, stay as they are. Double quotes
// around a value are removed.
func TestDecode(t *testing.T) {
	for value, want := range map[string]string{
		"100%": "100%", "%zz": "%zz", "日本語": "日本語", "a%FFb": "a%FFb", "a%0Ab": "a%0Ab", "%EF%BF%BE": "%EF%BF%BE", "%C2%85": "%C2%85",
		"%e2%82%ac": "€", "a+b": "a+b", `"a \"b\" \\ %41"`: `a "b" \ A`, `"`: `"`, `""`: "", `%22a%22`: `"a"`,
	} {
		h := http.Header{"Ce-Subject": {value}, "X-Other": {"%41"}}
		httpevent.Decode(h)
		if got := h.Get("Ce-Subject"); got != want || h.Get("X-Other") != "%41" {
			t.Errorf("%q is read as %q, want %q (%v)", value, got, want, h)
		}
	}
}

func TestAttribute(t *testing.T) {
	for text, want := range map[string]string{
		"in/cat.jpg": "in/cat.jpg", "100%25 日本語 \"x\"": "100%25 日本語 \"x\"", "": "",
		"thumbnails/two\nlines.jpg": "thumbnails/two%0Alines.jpg", "\t%\x01": "%09%25%01", "\x7f": "%7F", "a\xffb": "a%FFb",
		"日\u0085本": "日%C2%85本", "\ufdd0": "%EF%B7%90", "\U0001ffff": "%F0%9F%BF%BF", "\xed\xa0\x80": "%ED%A0%80", "\ufffd": "\ufffd",
	} {
		got := httpevent.Attribute(text)
		if got != want || httpevent.Attribute(got) != got {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
