// Package signature signs CloudEvents and verifies their signatures.
//
// The signature is an extension, imageflowsig, of the form
//
//	v1:<key id>:<mac>
//
// The mac is the HMAC-SHA256 of six parts of the event, in base64url without
// padding. Each part is preceded by its length in bytes as 8 bytes, big-endian:
// id, source, type, subject, origin (an extension; absent parts are empty) and
// the data. Each of the extensions backfill and variant that the event has adds two
// parts, its name and its value, in this order: nobody can raise the priority of an
// event, or change the names of later outputs. JSON data is signed in a canonical
// form: without insignificant whitespace, and with <, >, &, U+2028 and U+2029 as \u003c and so on, so that an
// intermediary may format the JSON differently. Other data is signed byte by byte.
//
// The key id is the first 8 hexadecimal digits of the SHA-256 of the text
// "imageflow event signing key" followed by the key. It selects the key and
// is not a proof.
//
// Other attributes, such as the extensions of a dead letter, are not signed:
// receivers must not trust them.
package signature

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/httpevent"
)

const (
	// version is the first part of every signature.
	version = "v1"
	// minKeyBytes is the output size of SHA-256. A shorter key would weaken the mac.
	minKeyBytes = 32
	// maxKeys allows the current key and, during a rotation, the previous or next one.
	maxKeys = 2
)

// The errors of Verify. Their texts contain no part of a key or of a signature.
var (
	ErrUnsigned = errors.New("the event is not signed: it needs the extension " + string(events.Signature))
	ErrInvalid  = errors.New("the event's signature is not valid here")
)

// Signer signs events with its first key and verifies them with all keys. A nil Signer
// neither signs nor verifies.
type Signer struct {
	keys          []key
	allowUnsigned bool
}

type key struct {
	id     string
	secret []byte
}

// New returns a Signer with one or two keys. With allowUnsigned, the Signer also accepts
// events without a signature, and the keys may be missing. Without keys it accepts every
// event and signs none.
func New(keys []string, allowUnsigned bool) (*Signer, error) {
	switch {
	case len(keys) == 0 && !allowUnsigned:
		return nil, errors.New("no key is given")
	case len(keys) > maxKeys:
		return nil, fmt.Errorf("%d keys are given but at most %d are allowed", len(keys), maxKeys)
	}
	s := &Signer{allowUnsigned: allowUnsigned}
	for i, text := range keys {
		text = strings.TrimSpace(text)
		if len(text) < minKeyBytes {
			return nil, fmt.Errorf("key %d has %d bytes but needs at least %d", i+1, len(text), minKeyBytes)
		}
		s.keys = append(s.keys, key{id: keyID(text), secret: []byte(text)})
	}
	return s, nil
}

func keyID(secret string) string {
	digest := sha256.Sum256([]byte("imageflow event signing key" + secret))
	return hex.EncodeToString(digest[:4])
}

// KeyID returns the id of the key that signs. It is empty if the Signer signs nothing.
func (s *Signer) KeyID() string {
	if s == nil || len(s.keys) == 0 {
		return ""
	}
	return s.keys[0].id
}

// HasKey reports whether the Signer has the key with an id.
func (s *Signer) HasKey(id string) bool {
	return s != nil && slices.ContainsFunc(s.keys, func(k key) bool { return k.id == id })
}

// Sign sets the signature of an event. It replaces an existing signature.
func (s *Signer) Sign(e *cloudevent.Event) {
	if s == nil || len(s.keys) == 0 {
		return
	}
	mac := s.keys[0].mac(*e)
	events.Signature.Set(e, strings.Join([]string{version, s.keys[0].id, base64.RawURLEncoding.EncodeToString(mac)}, ":"))
}

// Verify returns ErrUnsigned or ErrInvalid unless the event has a signature by one of the
// keys.
func (s *Signer) Verify(e cloudevent.Event) error {
	if s == nil || s.allowUnsigned && len(s.keys) == 0 {
		return nil
	}
	text, ok := events.Signature.Get(&e)
	if !ok {
		return s.unsigned()
	}
	fields := strings.Split(text, ":")
	if len(fields) != 3 || fields[0] != version {
		return ErrInvalid
	}
	mac, err := base64.RawURLEncoding.Strict().DecodeString(fields[2])
	if err != nil {
		return ErrInvalid
	}
	for _, k := range s.keys {
		if k.id != fields[1] {
			continue
		}
		if hmac.Equal(mac, k.mac(e)) {
			return nil
		}
	}
	return ErrInvalid
}

// VerifyHeader returns ErrUnsigned if the header of a request shows that its event has no
// signature, so that the body need not be read. In structured mode the signature is in
// the body, and VerifyHeader returns nil.
func (s *Signer) VerifyHeader(h http.Header) error {
	if s == nil || httpevent.IsStructured(h) || h.Get("Ce-"+string(events.Signature)) != "" {
		return nil
	}
	return s.unsigned()
}

func (s *Signer) unsigned() error {
	if s.allowUnsigned {
		return nil
	}
	return ErrUnsigned
}

// mac returns the HMAC of the signed parts.
func (k key) mac(e cloudevent.Event) []byte {
	origin, _ := events.OriginURI.Get(&e)
	parts := [][]byte{
		[]byte(e.ID()), []byte(e.Source()), []byte(e.Type()), []byte(e.Subject()), []byte(origin), canonical(e.Data()),
	}
	for _, x := range []events.Text{events.Backfill, events.VariantOf} {
		if value, ok := x.Get(&e); ok {
			parts = append(parts, []byte(x), []byte(value))
		}
	}
	h := hmac.New(sha256.New, k.secret)
	for _, part := range parts {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write(part)
	}
	return h.Sum(nil)
}

// canonical returns JSON in the canonical form, and other data unchanged.
func canonical(data []byte) []byte {
	var compact, escaped bytes.Buffer
	if json.Compact(&compact, data) != nil {
		return data
	}
	json.HTMLEscape(&escaped, compact.Bytes())
	return escaped.Bytes()
}
