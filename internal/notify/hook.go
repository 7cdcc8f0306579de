package notify

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"imageflow.dev/internal/rules"
)

// Hook is a receiver of webhooks.
type Hook struct {
	// URL is where messages are posted.
	URL string
	// Secrets sign each message, one signature for each: two secrets allow a rotation. The form
	// is whsec_ and 24 to 64 bytes in base64.
	Secrets []string
}

const (
	secretPrefix = "whsec_"
	// The limits on a secret's bytes are those of the Standard Webhooks specification.
	minSecretBytes, maxSecretBytes = 24, 64
	// maxSecrets allows the current secret and, during a rotation, the previous and the next one.
	maxSecrets = 3
)

// Check returns an error if the hook or its name is not valid. It never shows a secret, and of the
// URL, which may contain one, only its host. A name that is not valid may be a part of either.
func (h Hook) Check(name string) error {
	if !rules.IsName(name) {
		return errors.New("a name does not have the form " + rules.NameForm)
	}
	u, err := url.Parse(h.URL)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%s: its URL is not an absolute URL of http or https with a host", name)
	case !isPort(u.Port()):
		return fmt.Errorf("%s: its URL, at %s, has a port that is not in 1 to 65535", name, u.Host)
	case u.User != nil || u.Fragment != "":
		return fmt.Errorf("%s: its URL, at %s, has a user, a password or a fragment", name, u.Host)
	case len(h.Secrets) == 0:
		return fmt.Errorf("%s: has no secret", name)
	case len(h.Secrets) > maxSecrets:
		return fmt.Errorf("%s: has %d secrets but may have at most %d", name, len(h.Secrets), maxSecrets)
	}
	var errs []error
	for i, secret := range h.Secrets {
		text, ok := strings.CutPrefix(secret, secretPrefix)
		raw, err := base64.StdEncoding.DecodeString(text)
		if !ok || err != nil || len(raw) < minSecretBytes || len(raw) > maxSecretBytes {
			errs = append(errs, fmt.Errorf("%s: secret %d does not have the form whsec_ and %d to %d bytes in base64",
				name, i+1, minSecretBytes, maxSecretBytes))
		}
	}
	return errors.Join(errs...)
}

// isPort reports whether the digits of a port are valid; none mean the port of the scheme.
func isPort(digits string) bool {
	port, err := strconv.ParseUint(digits, 10, 16)
	return digits == "" || err == nil && port > 0
}

// sign sets the headers of the Standard Webhooks specification for a message that is sent now.
func (h Hook) sign(header http.Header, id string, now time.Time, payload []byte) error {
	var signatures []string
	for _, secret := range h.Secrets {
		key, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			return err
		}
		signature, err := key.Sign(id, now, payload)
		if err != nil {
			return err
		}
		signatures = append(signatures, signature)
	}
	header.Set(standardwebhooks.HeaderWebhookID, id)
	header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	header.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	return nil
}
