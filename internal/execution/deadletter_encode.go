package execution

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"imageflow.dev/internal/jsonlimit"
)

// The limits of the parts of a dead letter. JSON encodes a byte of a string with six
// bytes at most, so a dead letter within these limits is below maxDeadLetterBytes.
const (
	maxFieldBytes      = 4 << 10
	maxMessageBytes    = 256 << 10
	maxDeadLetterBytes = 8 << 20
)

// MaxEventBytes and MaxEventDepth limit the size and the nesting of the JSON of a dead
// letter's event. Of other events only the start is kept.
const (
	MaxEventBytes = 6 << 20
	MaxEventDepth = 100
)

// Digest describes a text of which only the start is kept.
type Digest struct {
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// truncate truncates the fields to their limits and makes them valid UTF-8. An event
// that exceeds its limits becomes a message.
func (d *DeadLetter) truncate() {
	for _, field := range []*string{
		&d.Execution, &d.Bucket, &d.Key, &d.ETag, &d.EventID, &d.EventType, &d.Reason, &d.Step,
	} {
		*field = start(*field, maxFieldBytes)
	}
	if d.Event != nil && !fitsDeadLetter(d.Event) {
		d.Message, d.Event = string(d.Event), nil
	}
	if len(d.Message) > maxMessageBytes || !utf8.ValidString(d.Message) {
		digest := sha256.Sum256([]byte(d.Message))
		d.Whole = &Digest{Bytes: len(d.Message), SHA256: hex.EncodeToString(digest[:])}
		d.Message = start(d.Message, maxMessageBytes)
	}
}

// fitsDeadLetter reports whether an event is JSON within the limits.
func fitsDeadLetter(event []byte) bool {
	limits := jsonlimit.Limits{Bytes: MaxEventBytes, Depth: MaxEventDepth}
	return len(event) <= MaxEventBytes && jsonlimit.Check(event, limits) == nil && json.Valid(event)
}

// start returns at most the first n bytes of a text, as valid UTF-8.
func start(text string, n int) string {
	return strings.ToValidUTF8(text[:min(len(text), n)], "\uFFFD")
}

// encode returns the dead letter as JSON. It copies the event byte by byte.
func (d *DeadLetter) encode() ([]byte, error) {
	head := *d
	head.Event = nil
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // people read URLs in it
	if err := encoder.Encode(&head); err != nil || d.Event == nil {
		return text.Bytes(), err
	}
	text.Truncate(bytes.LastIndexByte(text.Bytes(), '}'))
	text.WriteString(`,"event":`)
	text.Write(d.Event)
	text.WriteString("}\n")
	return text.Bytes(), nil
}
