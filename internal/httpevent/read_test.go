package httpevent_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"

	"imageflow.dev/internal/httpevent"
)

// TestRead_structured: data arrives whatever the order of the members, the white space and the escape sequences are.
func TestRead_structured(t *testing.T) {
	const rest, jsonType = `"id":"1","source":"s","type":"t"`, `"datacontenttype":"application/json"`
	for name, body := range map[string]string{
		"space before base64":          `{"specversion": "1.0", "data_base64": "eyJhIjoiPz8/In0=", ` + rest + `, ` + jsonType + `}`,
		"lines before base64":          "{\n\t\"specversion\":\n\"1.0\",\n\"data_base64\":\r\n \"eyJhIjoiPz8/In0=\",\n" + rest + "}",
		"base64 with escapes":          `{"specversion":"1.0","data_base64":"eyJhIjoiPz8\/In0=",` + rest + `}`,
		"base64 before all":            `{"data_base64": "eyJhIjoiPz8\u002fIn0=", ` + rest + `, "specversion": "1.0"}`,
		"base64 after the type":        `{"specversion":"1.0",` + jsonType + `, "data_base64" : "eyJhIjoiPz8/In0=",` + rest + `}`,
		"JSON":                         `{"specversion": "1.0", "data": {"a": "???"}, ` + rest + `, ` + jsonType + `}`,
		"null":                         `{"specversion":"1.0","subject":null,"time":null,"x":null,"data":{"a":"???"},` + rest + `}`,
		"JSON with characters of HTML": `{"specversion":"1.0","data":{"a":"???","<&>":1},` + rest + `}`,
	} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "Application/CloudEvents+JSON; charset=UTF-8")
		e, err := httpevent.Read(r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := `{"a":"???"}`
		if strings.Contains(body, "<") {
			want = `{"a":"???","<&>":1}`
		}
		if string(e.Data()) != want || e.ID() != "1" || len(e.Extensions()) != 0 || e.Validate() != nil {
			t.Errorf("%s: read as %v, %v", name, e, e.Validate())
		}
	}
}

func TestRead_structuredInvalid(t *testing.T) {
	for name, body := range map[string]string{
		"text": "x", "an array": `[]`, "two values": `{"specversion":"1.0"} {}`, "base64 that is a number": `{"data_base64":1}`,
		"data twice":         `{"specversion":"1.0","id":"1","source":"s","type":"t","data":{},"data_base64":"e30="}`,
		"base64 that is not": `{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"%%%"}`,
	} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/cloudevents+json")
		if e, err := httpevent.Read(r); err == nil {
			t.Errorf("%s is read as %v", name, e)
		}
	}
}

// TestCheck: only the formats that Read reads, and only attributes that the binding allows.
func TestCheck(t *testing.T) {
	for contentType, ok := range map[string]bool{
		"": true, "application/json": true, "image/png": true, "application/cloudevents+json; charset=utf-8": true,
		"application/cloudevents-batch+json": false, "Application/CloudEvents-Batch+JSON; charset=utf-8": false,
		"application/cloudevents+avro": false,
	} {
		var format *httpevent.FormatError
		if err := httpevent.Check(http.Header{"Content-Type": {contentType}}); errors.As(err, &format) == ok {
			t.Errorf("%s: %v", contentType, err)
		}
	}
	for value, ok := range map[string]bool{
		"a": true, "%E2%82%AC": true, "%e2%82%ac": true, "%41": true, "100%": true, "%zz": true, "caf\xe9": true, `"a \"b\""`: true,
		"%C0%A0": false, "a%FFb": false, "%0A": false, "%C2%85": false, `"%C0%A0"`: false,
	} {
		if err := httpevent.Check(http.Header{"Ce-Subject": {value}, "X-Other": {"%FF"}}); (err == nil) != ok {
			t.Errorf("%q: %v", value, err)
		}
	}
}

// TestRead_headerWithoutName: the SDK panics for a header that is only the prefix of attributes.
func TestRead_headerWithoutName(t *testing.T) {
	read := map[string]func(*http.Request) (*event.Event, error){"Read": httpevent.Read, "ReadValid": httpevent.ReadValid}
	for name, read := range read {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}"))
		r.Header = http.Header{"Ce-Specversion": {"1.0"}, "Ce-Id": {"1"}, "Ce-Source": {"s"}, "Ce-Type": {"t"}, "Ce-": {"x"}}
		if e, err := read(r); err == nil || httpevent.Status(err) != http.StatusBadRequest {
			t.Errorf("%s: %v, %v", name, e, err)
		}
	}
}

// TestReadValid_namesTheAttribute: what the specification forbids is an error with the attribute, the value and what is
// expected, here in structured mode. Read accepts what it can, so that such events can be kept.
func TestReadValid_namesTheAttribute(t *testing.T) {
	const begin = `{"specversion":"1.0","id":"1","source":"s","type":"t"`
	for body, want := range map[string]string{
		`{"specversion":"1","id":"1","source":"s","type":"t"}`:   `specversion: "1" must be 1.0`,
		`{"specversion":"1.0","id":"","source":"s","type":"t"}`:  `id: "" must be a text that is not empty`,
		`{"specversion":"1.0","id":7,"source":"s","type":"t"}`:   `id: "7" is not a string`,
		`{"specversion":"1.0","id":"1","source":":","type":"t"}`: `source: ":" must be a URI`,
		`{"specversion":"1.0","id":"1","source":"s"}`:            `type: missing; it must be a text`,
		begin + `,"id":"2"}`:                         `"id": the event has it twice`,
		begin + `,"time":""}`:                        `time: "" must be a time of RFC 3339`,
		begin + `,"subject":"a","subj\u0065ct":"b"}`: `"subject": the event has it twice`,
		begin + `,"hops":1.5}`:                       `"hops": "1.5" is no string`,
		begin + `,"hops":99999999999}`:               `"hops": "99999999999" is no string`,
		begin + `,"x":{}}`:                           `"x": "{}" is no string`,
		begin + ",\"x\":\"\xff\"}":                   "the body is not UTF-8",
		begin + `,"":"x"}`:                           "the event has an attribute with an empty name",
		begin + `,"data_base64":"%%%"}`:              "data_base64 is not base64",
		begin + `,"datacontenttype":"/"}`:            `datacontenttype: "/" must be a media type`,
		`[]`:                                         "not a JSON object",
		begin + `,"subject":null,"x":true,"hops":3,"data":"\u0000"}`: "",
	} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/cloudevents+json")
		expect(t, r, want)
	}
}

// TestReadValid_namesTheHeader: the same in binary mode.
func TestReadValid_namesTheHeader(t *testing.T) {
	for header, want := range map[string]string{
		"Ce-Id=": `id: "" must be`, "Ce-Specversion=1": `specversion: "1" must be 1.0`, "Ce-Time=noon": `time: "noon" must be`,
		"Ce-Type=": `type: "" must be`, "Ce-Subject=": `subject: "" must be`, "Ce-Source=%41": "",
		"Content-Type=a b": "datacontenttype: ",
		"Ce-Specversion":   "specversion: missing", "Ce-Id": "id: missing",
	} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}"))
		for _, name := range []string{"Id", "Source", "Type"} {
			r.Header.Set("Ce-"+name, "a")
		}
		r.Header.Set("Ce-Specversion", "1.0")
		if name, value, given := strings.Cut(header, "="); given {
			r.Header.Set(name, value)
		} else {
			r.Header.Del(name)
		}
		expect(t, r, want)
	}
}

func expect(t *testing.T, r *http.Request, want string) {
	t.Helper()
	_, err := httpevent.ReadValid(r)
	if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || httpevent.Status(err) != 400) {
		t.Errorf("%v: got %v, want %q", r.Header, err, want)
	}
}

// TestStatus: a batch and a body that is too long have statuses of their own.
func TestStatus(t *testing.T) {
	for _, read := range []func(*http.Request) (*event.Event, error){httpevent.Read, httpevent.ReadValid} {
		for _, contentType := range []string{"application/cloudevents+json", "application/json"} {
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"specversion":"1.0"}`))
			r.Header = http.Header{"Content-Type": {contentType}, "Ce-Specversion": {"1.0"}}
			r.Body = http.MaxBytesReader(nil, r.Body, 9)
			if _, err := read(r); httpevent.Status(err) != 413 || !strings.Contains(err.Error(), "longer than 9 bytes") {
				t.Errorf("%s: %v", contentType, err)
			}
		}
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`[]`))
		r.Header.Set("Content-Type", "application/cloudevents-batch+json")
		if _, err := read(r); httpevent.Status(err) != 415 {
			t.Errorf("a batch: %v", err)
		}
	}
}
