package httpevent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// attributes are the attributes of the specification, in the order in which they are checked.
var attributes = []struct {
	name       string
	isRequired bool
	expected   string
	isValid    func(string) bool
}{
	{"specversion", true, "1.0", func(text string) bool { return text == "1.0" || text == "0.3" }},
	{"id", true, "a text that is not empty", isNotEmpty},
	{"source", true, "a URI or a part of one", isReference},
	{"type", true, "a text that is not empty", isNotEmpty},
	{"subject", false, "a text that is not empty", isNotEmpty},
	{"time", false, "a time of RFC 3339, such as 2026-11-29T03:00:00Z", isTime},
	{"dataschema", false, "a URI", isReference},
	{"datacontenttype", false, "a media type, such as application/json", isMediaType},
}

func isNotEmpty(text string) bool { return text != "" }

func isReference(text string) bool {
	_, err := url.Parse(text)
	return err == nil && text != ""
}

func isTime(text string) bool {
	_, err := time.Parse(time.RFC3339Nano, text)
	return err == nil
}

func isMediaType(text string) bool {
	_, _, err := mime.ParseMediaType(text)
	return err == nil
}

// ErrNoEvent means that a message is no event in any mode.
var ErrNoEvent = errors.New("specversion: missing; an event has the header Ce-Specversion in binary mode, or is " +
	"application/cloudevents+json in structured mode")

// CheckAttributes returns an error that names the first attribute of a message that the specification does not allow. In
// structured mode the body is the event.
func CheckAttributes(h http.Header, body []byte) error {
	values, err := binaryAttributes(h)
	if IsStructured(h) {
		values, err = structuredAttributes(body)
	}
	if err != nil {
		return err
	}
	for _, a := range attributes {
		value, ok := values[a.name]
		switch {
		case !ok && a.isRequired:
			return fmt.Errorf("%s: missing; it must be %s", a.name, a.expected)
		case ok && !a.isValid(value):
			return fmt.Errorf("%s: %+.64q must be %s", a.name, value, a.expected)
		}
	}
	return nil
}

// binaryAttributes returns the attributes in headers.
func binaryAttributes(h http.Header) (map[string]string, error) {
	values := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(h)) {
		attribute, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		if attribute = strings.ToLower(attribute); len(h[name]) > 1 {
			return nil, fmt.Errorf("%s: the header is given twice", attribute)
		}
		values[attribute] = decode(h.Get(name))
	}
	if _, ok := values["specversion"]; !ok {
		return nil, ErrNoEvent
	}
	delete(values, "datacontenttype")
	if contentType := h.Get("Content-Type"); contentType != "" {
		values["datacontenttype"] = contentType
	}
	return values, nil
}

// structuredAttributes returns the attributes of an event as JSON, except those that are null.
func structuredAttributes(text []byte) (map[string]string, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("the body is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return nil, errNoObject
	}
	values, seen := map[string]string{}, map[string]bool{}
	for d.More() {
		token, err := d.Token()
		name, _ := token.(string)
		var value json.RawMessage
		if err == nil {
			err = d.Decode(&value)
		}
		switch {
		case err != nil:
			return nil, errNoObject
		case seen[name]:
			return nil, fmt.Errorf("%+.64q: the event has it twice", name)
		}
		seen[name] = true
		if name == dataMember || name == base64Member || string(value) == "null" {
			continue
		}
		if values[name], err = textOf(name, value); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// textOf returns the text of an attribute's value in JSON: a string, or for an extension also a boolean or an integer.
func textOf(name string, value json.RawMessage) (text string, err error) {
	if value[0] == '"' {
		return text, json.Unmarshal(value, &text)
	}
	text = string(value)
	for _, a := range attributes {
		if a.name == name {
			return "", fmt.Errorf("%s: %+.64q is not a string", name, text)
		}
	}
	if _, err := strconv.ParseInt(text, 10, 32); err != nil && text != "true" && text != "false" {
		return "", fmt.Errorf("%+.64q: %+.64q is no string, no boolean and no integer of 32 bits", name, text)
	}
	return text, nil
}
