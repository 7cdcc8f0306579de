// Package httpevent reads and writes CloudEvents in HTTP. It adds what the SDK omits of the
// HTTP binding and of the JSON format. Attributes are percent-encoded in headers (3.1.3.2):
// without it, an attribute that ends with a space or is not ASCII arrives changed or cannot
// be sent. Base64 data is read in every form of JSON.
package httpevent

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
)

// prefix is the prefix of the headers that contain attributes in binary mode.
const prefix = "Ce-"

// NewRequest returns a request that posts an event in binary mode.
func NewRequest(ctx context.Context, target string, e event.Event) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, nil)
	if err != nil {
		return nil, err
	}
	if err := cehttp.WriteRequest(binding.WithForceBinary(ctx), binding.ToMessage(&e), r); err != nil {
		return nil, err
	}
	Encode(r.Header)
	return r, nil
}

// WriteResponse answers 200 with an event in binary mode.
func WriteResponse(ctx context.Context, w http.ResponseWriter, e *event.Event) error {
	answer := &http.Request{Header: w.Header()}
	if err := cehttp.WriteRequest(binding.WithForceBinary(ctx), binding.ToMessage(e), answer); err != nil {
		return err
	}
	Encode(w.Header())
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(e.Data())
	return err
}

// Encode percent-encodes the attributes in the headers of an event in binary mode.
func Encode(h http.Header) { eachAttribute(h, encode) }

// Decode is the inverse of Encode. It also removes the double quotes that older versions of
// the binding allow around a value. It does not change a value that is not percent-encoded
// or whose decoded form is not a valid attribute.
func Decode(h http.Header) { eachAttribute(h, decode) }

func eachAttribute(h http.Header, change func(string) string) {
	for name, values := range h {
		if strings.HasPrefix(name, prefix) {
			for i := range values {
				values[i] = change(values[i])
			}
		}
	}
}

// encode escapes the characters that the binding does not allow in a header: all except
// printable ASCII, and also space, double quote and percent sign.
func encode(value string) string {
	return escape(value, func(c byte) bool { return c <= ' ' || c >= 0x7f || c == '"' || c == '%' })
}

func decode(value string) string {
	value = unquote(value)
	if plain, err := url.PathUnescape(value); err == nil && valid(plain) {
		return plain
	}
	return value
}

// unquote returns the content of a quoted string (RFC 9110, 5.6.4), and other values unchanged.
func unquote(value string) string {
	if len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
		return value
	}
	var content strings.Builder
	for i := 1; i < len(value)-1; i++ {
		if value[i] == '\\' && i+1 < len(value)-1 {
			i++
		}
		content.WriteByte(value[i])
	}
	return content.String()
}

// Attribute returns a text as the value of an attribute: the text itself if CloudEvents
// allows it, or else the text with percent-encoded characters.
func Attribute(text string) string {
	if valid(text) {
		return text
	}
	var value strings.Builder
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		if part := text[:n]; r == '%' || !valid(part) {
			value.WriteString(escape(part, func(byte) bool { return true }))
		} else {
			value.WriteString(part)
		}
		text = text[n:]
	}
	return value.String()
}

// valid reports whether an attribute may have this value: it is UTF-8 without control
// characters and noncharacters.
func valid(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' || (r >= 0x7f && r <= 0x9f) || (r >= 0xfdd0 && r <= 0xfdef) || r&0xfffe == 0xfffe
	})
}

func escape(text string, needed func(byte) bool) string {
	const digits = "0123456789ABCDEF"
	var escaped strings.Builder
	for i := range len(text) {
		if c := text[i]; needed(c) {
			escaped.Write([]byte{'%', digits[c>>4], digits[c&0xf]})
		} else {
			escaped.WriteByte(c)
		}
	}
	return escaped.String()
}
