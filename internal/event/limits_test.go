package event_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/event"
	"imageflow.dev/internal/job"
)

const envelope = `{"specversion":"1.0","id":"1","source":"test","type":"com.amazonaws.s3.ObjectCreated:Put"`

func attributes(n int, value string) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, `,"a%d":%s`, i, value)
	}
	return text.String()
}

func headers(n int, value string) map[string]string {
	h := map[string]string{
		"Content-Type": "application/json", "Ce-Specversion": "1.0", "Ce-Id": "1", "Ce-Source": "test",
		"Ce-Type": "com.amazonaws.s3.ObjectCreated:Put",
	}
	for i := range n {
		h[fmt.Sprintf("Ce-A%d", i)] = value
	}
	return h
}

// hostileEvent is a request and a part of the error that answers it.
type hostileEvent struct {
	name     string
	header   map[string]string
	body     string
	contains string
}

// tooLong is a part of the error that answers a body over the limit, with 413.
const tooLong = "longer than 1048576 bytes"

func hostileEvents() []hostileEvent {
	structured := map[string]string{"Content-Type": "application/cloudevents+json; charset=utf-8"}
	deep, many := strings.Repeat("[", 300_000), strings.Repeat("{},", 300_000)
	longID := strings.Replace(envelope, `"1"`, `"`+strings.Repeat("x", 5000)+`"`, 1) + "}"
	inBase64 := base64.StdEncoding.EncodeToString([]byte(`{"s3":` + strings.Repeat("[", 100_000)))
	return []hostileEvent{
		{"extensions", structured, envelope + attributes(60_000, `""`) + "}", "more than 100 members"},
		{"a deep extension", structured, envelope + `,"a":` + deep, "deeper than 32 levels"},
		{"elements of an extension", structured, envelope + `,"a":[` + many + "{}]}", "more than 10000 elements"},
		{"a long extension", structured, envelope + `,"a":"` + strings.Repeat("x", 5000) + `"}`, `attribute \"a\" is too long`},
		{"a long name", structured, envelope + `,"` + strings.Repeat("x", 5000) + `":"a"}`, "is too long"},
		{"a long id", structured, longID, `attribute \"id\" is too long`},
		{"deep data", structured, envelope + `,"data":` + deep, "deeper than 32 levels"},
		{"deep data in base64", structured, envelope + `,"data_base64":"` + inBase64 + `"}`, "deeper than 32 levels"},
		{"a long text", structured, strings.Repeat(" ", 2<<20), tooLong},
		{"no event", structured, "secret secret", "not a valid CloudEvent"},
		{"extension headers", headers(200, "x"), "{}", "more than 100 attributes"},
		{"a long header", headers(1, strings.Repeat("x", 5000)), "{}", "is too long"},
		{"deep binary data", headers(1, "x"), `{"s3":` + deep, "deeper than 32 levels"},
		{"elements of binary data", headers(1, "x"), `{"s3":{"a":[` + many + "{}]}}", "more than 10000 elements"},
		{"a long value", headers(1, "x"), `{"secret":"` + strings.Repeat("x", 2<<20), tooLong},
		{"no JSON", headers(1, "x"), `{"secret": secret`, "not the record of a new object"},
	}
}

// TestHostileEventsTakeLittleMemory: the limits apply before the event is decoded. The
// error names the limit and repeats no part of the event.
func TestHostileEventsTakeLittleMemory(t *testing.T) {
	run := func(context.Context, functions.Request, job.OverloadPolicy) (functions.Response, error) {
		t.Error("a job was run")
		return &response{}, nil
	}
	h := &event.Handler{Processor: resize.Processor, Run: run}
	for _, c := range hostileEvents() {
		req := httptest.NewRequest(http.MethodPost, "/?target_width=1", strings.NewReader(c.body))
		for name, value := range c.header {
			req.Header.Set(name, value)
		}
		answer := httptest.NewRecorder()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		h.ServeHTTP(answer, req)
		runtime.ReadMemStats(&after)
		text := strings.ReplaceAll(answer.Body.String(), ": ", ":")
		code := http.StatusBadRequest
		if c.contains == tooLong {
			code = http.StatusRequestEntityTooLarge
		}
		if answer.Code != code || !strings.Contains(text, strings.ReplaceAll(c.contains, ": ", ":")) ||
			strings.Contains(text, "secret") || len(text) > 500 {
			t.Errorf("%s: got %d %.600s, want %q", c.name, answer.Code, text, c.contains)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 12<<20 {
			t.Errorf("%s: a body of %d bytes took %d bytes of memory", c.name, len(c.body), took)
		}
	}
}
