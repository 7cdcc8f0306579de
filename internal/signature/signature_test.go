package signature_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/cloudevents/sdk-go/v2/binding"
	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/signature"
)

const (
	first  = "the first key, of 32 bytes or more"
	second = "the second key, of 32 bytes or more"
)

func signer(t testing.TB, keys ...string) *signature.Signer {
	t.Helper()
	s, err := signature.New(keys, false)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newEvent(t testing.TB) cloudevent.Event {
	t.Helper()
	e := cloudevent.New()
	e.SetID("1")
	e.SetSource("minio:s3..imageflow-files")
	e.SetType("com.amazonaws.s3.ObjectCreated:Put")
	e.SetSubject("träum/e <&>.jpg")
	e.SetExtension("origin", "s3://imageflow-files/tr%C3%A4um/e.jpg?etag=abc")
	if err := e.SetData(cloudevent.ApplicationJSON, []byte(`{"s3": {"object": {"key": "<a&b>"}}, "n": 1.50}`)); err != nil {
		t.Fatal(err)
	}
	return e
}

func signed(t testing.TB, s *signature.Signer) cloudevent.Event {
	t.Helper()
	e := newEvent(t)
	s.Sign(&e)
	return e
}

// TestKnownSignature checks the documented form, on which other programs depend.
func TestKnownSignature(t *testing.T) {
	const want = "v1:aa305b86:G3gLF1Udy3uWV0YUcw7E0UiciwlbRzudyHM3tgIb4x4"
	if got := signed(t, signer(t, first)).Extensions()[string(events.Signature)]; got != want {
		t.Errorf("signed as %v, want %v", got, want)
	}
}

// TestVerify_changedEvent changes each signed part, the signature, and the border between
// two parts.
func TestVerify_changedEvent(t *testing.T) {
	s := signer(t, first)
	changes := map[string]func(*cloudevent.Event){
		"id":      func(e *cloudevent.Event) { e.SetID("2") },
		"source":  func(e *cloudevent.Event) { e.SetSource("minio:s3..other") },
		"type":    func(e *cloudevent.Event) { e.SetType("dev.imageflow.resize.completed.v1") },
		"subject": func(e *cloudevent.Event) { e.SetSubject("other.jpg") },
		"no subject": func(e *cloudevent.Event) {
			e.SetSubject("")
		},
		"origin":          func(e *cloudevent.Event) { e.SetExtension("origin", "s3://other/a.jpg") },
		"no origin":       func(e *cloudevent.Event) { e.SetExtension("origin", nil) },
		"origin a number": func(e *cloudevent.Event) { e.SetExtension("origin", 5) },
		"data":            func(e *cloudevent.Event) { e.DataEncoded = []byte(`{"s3":{"object":{"key":"other"}},"n":1.50}`) },
		"a number":        func(e *cloudevent.Event) { e.DataEncoded = bytes.Replace(e.Data(), []byte("1.50"), []byte("1.5"), 1) },
		"no JSON":         func(e *cloudevent.Event) { e.DataEncoded = append(e.Data(), '}') },
		"no data":         func(e *cloudevent.Event) { e.DataEncoded = nil },
		"shifted border": func(e *cloudevent.Event) {
			e.SetID(e.ID() + e.Source()[:1])
			e.SetSource(e.Source()[1:])
		},
		"last digit": func(e *cloudevent.Event) {
			text := e.Extensions()[string(events.Signature)].(string)
			e.SetExtension(string(events.Signature), text[:len(text)-1]+"!")
		},
		"cut":      func(e *cloudevent.Event) { e.SetExtension(string(events.Signature), "v1::") },
		"not text": func(e *cloudevent.Event) { e.SetExtension(string(events.Signature), 1) },
		"version":  func(e *cloudevent.Event) { replaceSignature(e, "v1:", "v2:") },
	}
	for name, change := range changes {
		e := signed(t, s)
		change(&e)
		if err := s.Verify(e); !errors.Is(err, signature.ErrInvalid) {
			t.Errorf("%s changed: %v", name, err)
		}
	}
	e := signed(t, s)
	e.SetExtension(string(events.Signature), nil)
	if err := s.Verify(e); !errors.Is(err, signature.ErrUnsigned) {
		t.Errorf("unsigned: %v", err)
	}
}

func replaceSignature(e *cloudevent.Event, old, with string) {
	e.SetExtension(string(events.Signature), strings.Replace(e.Extensions()[string(events.Signature)].(string), old, with, 1))
}

// TestVerify_changedUnsignedParts: brokers set a time to live, a trace, and the extensions
// of dead letters.
func TestVerify_changedUnsignedParts(t *testing.T) {
	s := signer(t, first)
	e := signed(t, s)
	for _, name := range []string{"knativeerrordata", "knativebrokerttl", "traceparent", "hops"} {
		e.SetExtension(name, "1")
	}
	e.DataEncoded = []byte("{\"s3\":{\"object\":{\"key\":\"\\u003ca\\u0026b\\u003e\"}},\n\t\"n\":1.50}")
	if err := s.Verify(e); err != nil {
		t.Error(err)
	}
}

// TestVerify_keyRotation: the first key signs, and each key verifies until it is removed.
func TestVerify_keyRotation(t *testing.T) {
	old, both, turned, alone := signer(t, first), signer(t, first, second), signer(t, second, first), signer(t, second)
	for name, c := range map[string]struct {
		by, to *signature.Signer
		valid  bool
	}{
		"before": {old, both, true}, "during": {both, turned, true}, "turned": {turned, both, true},
		"after": {turned, alone, true}, "old at the end": {both, alone, false}, "new at the start": {alone, old, false},
	} {
		if err := c.to.Verify(signed(t, c.by)); (err == nil) != c.valid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestVerify_allowUnsigned(t *testing.T) {
	plain, forged := newEvent(t), signed(t, signer(t, second))
	keyed, err := signature.New([]string{first}, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := keyed.Verify(plain); err != nil {
		t.Errorf("unsigned: %v", err)
	}
	if err := keyed.Verify(forged); !errors.Is(err, signature.ErrInvalid) {
		t.Errorf("signed with another key: %v", err)
	}
	keyless, err := signature.New(nil, true)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*signature.Signer{"without a key": keyless, "nil": nil} {
		e := newEvent(t)
		s.Sign(&e)
		if err := errors.Join(s.Verify(plain), s.Verify(forged), s.VerifyHeader(http.Header{})); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNew_invalidKeysAreNotPrinted(t *testing.T) {
	for _, keys := range [][]string{nil, {"short secret"}, {first, "short secret"}, {first, second, first + "3"},
		{"   " + first[:31] + "  "}} {
		_, err := signature.New(keys, false)
		if err == nil {
			t.Errorf("%d keys are accepted", len(keys))
			continue
		}
		for _, k := range keys {
			if strings.Contains(err.Error(), strings.TrimSpace(k)) {
				t.Errorf("the error shows a key: %v", err)
			}
		}
	}
}

func TestVerifyHeader(t *testing.T) {
	s := signer(t, first)
	for name, c := range map[string]struct {
		header http.Header
		passes bool
	}{
		"binary, unsigned": {http.Header{"Ce-Id": {"1"}, "Content-Type": {"application/json"}}, false},
		"binary, signed":   {http.Header{"Ce-Imageflowsig": {"v1:x:y"}}, true},
		"structured":       {http.Header{"Content-Type": {"application/cloudevents+json; charset=utf-8"}}, true},
		"batch":            {http.Header{"Content-Type": {"application/cloudevents-batch+json"}}, false},
		"nothing":          {http.Header{}, false},
	} {
		if err := s.VerifyHeader(c.header); (err == nil) != c.passes {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestVerify_afterTransport in binary and in structured mode, and after a library has
// indented and escaped the JSON.
func TestVerify_afterTransport(t *testing.T) {
	s := signer(t, first)
	e := signed(t, s)
	for name, mode := range map[string]func(context.Context) context.Context{
		"binary": binding.WithForceBinary, "structured": binding.WithForceStructured,
	} {
		if err := s.Verify(transmit(t, mode(t.Context()), e)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	text, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	var again cloudevent.Event
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(again); err != nil {
		t.Errorf("indented: %v", err)
	}
}

// transmit sends an event as a request and returns the received event.
func transmit(t testing.TB, ctx context.Context, e cloudevent.Event) cloudevent.Event {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://127.0.0.1", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := cehttp.WriteRequest(ctx, (*binding.EventMessage)(&e), req); err != nil {
		t.Fatal(err)
	}
	got, err := cehttp.NewEventFromHTTPRequest(req)
	if err != nil {
		t.Fatal(err)
	}
	return *got
}

// FuzzVerify: an event with other parts never has the same signature.
func FuzzVerify(f *testing.F) {
	f.Add("1", "s", "t", "u", "o", []byte(`{"a":1}`), "1", "s", "tu", "", "o", []byte(`{"a":1}`))
	f.Add("a", "/b", "c", "", "", []byte("x"), "a", "/b", "c", "", "", []byte(" x"))
	f.Add("a", "/b", "c", "d", "", []byte("[1]"), "a", "/b", "c", "", "d", []byte("[ 1 ]"))
	s, err := signature.New([]string{first}, false)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, id, source, kind, subject, origin string, data []byte,
		id2, source2, kind2, subject2, origin2 string, data2 []byte) {
		a, b := build(id, source, kind, subject, origin, data), build(id2, source2, kind2, subject2, origin2, data2)
		s.Sign(&a)
		if err := s.Verify(a); err != nil {
			t.Fatal(err)
		}
		b.SetExtension(string(events.Signature), a.Extensions()[string(events.Signature)])
		if s.Verify(b) == nil && !sameParts(a, b) {
			t.Errorf("%v\nhas the signature of\n%v", b, a)
		}
	})
}

func build(id, source, kind, subject, origin string, data []byte) cloudevent.Event {
	e := cloudevent.New()
	e.SetID(id)
	e.SetSource(source)
	e.SetType(kind)
	e.SetSubject(subject)
	if origin != "" {
		e.SetExtension("origin", origin)
	}
	e.DataEncoded = data
	return e
}

// sameParts compares the signed parts. It compares JSON data by value.
func sameParts(a, b cloudevent.Event) bool {
	return a.ID() == b.ID() && a.Source() == b.Source() && a.Type() == b.Type() && a.Subject() == b.Subject() &&
		a.Extensions()["origin"] == b.Extensions()["origin"] && (bytes.Equal(a.Data(), b.Data()) || equalJSON(a.Data(), b.Data()))
}

func equalJSON(a, b []byte) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	one, _ := json.Marshal(x)
	other, _ := json.Marshal(y)
	return bytes.Equal(one, other)
}
