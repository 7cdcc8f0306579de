package scenario

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// signingKey is the key of roles that run as processes of their own.
const signingKey = "a key of events for these tests only"

// signed returns the headers of an event in binary mode, signed with the system's key. It follows
// the description in eventing/README.md, as a foreign event source would.
func (s *system) signed(t testing.TB, header map[string]string, body string) map[string]string {
	t.Helper()
	header = maps.Clone(header)
	header["Ce-Imageflowsig"] = signatureOf(t, s.key(t), header, body)
	return header
}

// key returns the key that events are signed with.
func (s *system) key(t testing.TB) string {
	t.Helper()
	switch {
	case *onCluster:
		var secret struct{ Data map[string][]byte }
		text := kubectl(t, "get", "secret", "event-signing-keys", "--namespace", namespace, "--output", "json")
		if err := json.Unmarshal([]byte(text), &secret); err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(secret.Data["keys"]), ",")
		return first
	case s.data != "":
		text, err := os.ReadFile(filepath.Join(s.data, "event-signing-key"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	return signingKey
}

func signatureOf(t testing.TB, key string, header map[string]string, body string) string {
	t.Helper()
	var data, escaped bytes.Buffer
	if err := json.Compact(&data, []byte(body)); err != nil {
		t.Fatal(err)
	}
	json.HTMLEscape(&escaped, data.Bytes())
	mac := hmac.New(sha256.New, []byte(key))
	for _, part := range []string{
		header["Ce-Id"], header["Ce-Source"], header["Ce-Type"], header["Ce-Subject"], header["Ce-Origin"], escaped.String(),
	} {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		mac.Write([]byte(part))
	}
	id := sha256.Sum256([]byte("imageflow event signing key" + key))
	return "v1:" + hex.EncodeToString(id[:4]) + ":" + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
