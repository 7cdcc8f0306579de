package role

import (
	"errors"
	"fmt"

	"imageflow.dev/internal/signature"
)

// Signing has the keys of events. Two keys allow a rotation without an outage. If unsigned
// events are accepted, anyone who reaches the port can send events.
type Signing struct {
	Keys          []string `envconfig:"EVENT_SIGNING_KEYS" desc:"one or two keys, at least 32 characters each: the first signs"`
	AllowUnsigned bool     `envconfig:"ALLOW_UNSIGNED_EVENTS" default:"false" desc:"also accept events without a signature"`
}

func (c Signing) validate() error {
	_, err := c.Signer()
	return err
}

// Signer returns the signer of a role. Its errors never show a key.
func (c Signing) Signer() (*signature.Signer, error) {
	if len(c.Keys) == 0 && !c.AllowUnsigned {
		return nil, errors.New("EVENT_SIGNING_KEYS must be set; " +
			"ALLOW_UNSIGNED_EVENTS=true accepts unsigned events instead")
	}
	s, err := signature.New(c.Keys, c.AllowUnsigned)
	if err != nil {
		return nil, fmt.Errorf("EVENT_SIGNING_KEYS is not usable: %w", err)
	}
	return s, nil
}
