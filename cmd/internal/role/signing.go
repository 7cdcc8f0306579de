package role

import (
	"errors"
	"fmt"

	"imageflow.dev/internal/signature"
)

// Signing says with which keys events are signed and verified.
type Signing struct {
	Keys          []string `envconfig:"EVENT_SIGNING_KEYS" desc:"one or two keys of at least 32 characters, with a comma between: events are signed with the first and verified with both, so that keys can be rotated"`
	AllowUnsigned bool     `envconfig:"ALLOW_UNSIGNED_EVENTS" default:"false" desc:"whether events without a signature are accepted too, from anyone who can reach the port"`
}

func (c Signing) validate() error {
	_, err := c.Signer()
	return err
}

// Signer returns the signer of a role. Its errors never show a key.
func (c Signing) Signer() (*signature.Signer, error) {
	if len(c.Keys) == 0 && !c.AllowUnsigned {
		return nil, errors.New("EVENT_SIGNING_KEYS must be set; " +
			"without keys events can be taken unsigned only, with ALLOW_UNSIGNED_EVENTS=true")
	}
	s, err := signature.New(c.Keys, c.AllowUnsigned)
	if err != nil {
		return nil, fmt.Errorf("EVENT_SIGNING_KEYS is not usable: %w", err)
	}
	return s, nil
}
