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

// The bounds of a letter's parts. JSON writes a byte of a string with six at
// most, so a letter within them is smaller than maxLetterBytes.
const (
	maxFieldBytes   = 4 << 10
	maxMessageBytes = 256 << 10
	maxEventBytes   = 6 << 20
	maxLetterBytes  = 8 << 20
)

// MaxEventDepth is how many levels the JSON of a letter's event may have.
const MaxEventDepth = 100

// Digest describes a text that is not kept as a whole.
type Digest struct {
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// bound cuts what is too long to be kept, or is no text. An event that does not
// fit becomes a message.
func (l *Letter) bound() {
	for _, field := range []*string{
		&l.Execution, &l.Bucket, &l.Key, &l.ETag, &l.EventID, &l.EventType, &l.Reason, &l.Step,
	} {
		*field = start(*field, maxFieldBytes)
	}
	if l.Event != nil && !keepable(l.Event) {
		l.Message, l.Event = string(l.Event), nil
	}
	if len(l.Message) > maxMessageBytes || !utf8.ValidString(l.Message) {
		digest := sha256.Sum256([]byte(l.Message))
		l.Whole = &Digest{Bytes: len(l.Message), SHA256: hex.EncodeToString(digest[:])}
		l.Message = start(l.Message, maxMessageBytes)
	}
}

// keepable reports whether an event can stand in a letter.
func keepable(event []byte) bool {
	limits := jsonlimit.Limits{Bytes: maxEventBytes, Depth: MaxEventDepth}
	return jsonlimit.Check(event, limits) == nil && json.Valid(event)
}

// start returns at most n bytes of a text, as UTF-8.
func start(text string, n int) string {
	return strings.ToValidUTF8(text[:min(len(text), n)], "\uFFFD")
}

// encode writes a letter as JSON. The event stands in it byte by byte, since it
// may be signed.
func (l *Letter) encode() ([]byte, error) {
	head := *l
	head.Event = nil
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // people read addresses in it
	if err := encoder.Encode(&head); err != nil || l.Event == nil {
		return text.Bytes(), err
	}
	text.Truncate(bytes.LastIndexByte(text.Bytes(), '}'))
	text.WriteString(`,"event":`)
	text.Write(l.Event)
	text.WriteString("}\n")
	return text.Bytes(), nil
}
