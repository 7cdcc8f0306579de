package httpevent_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

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
