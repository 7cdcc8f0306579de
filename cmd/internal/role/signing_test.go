package role_test

import (
	"strings"
	"testing"

	"imageflow.dev/cmd/internal/role"
)

// TestKeysOfEventsAreChecked: errors name the variables and do not contain the keys.
func TestKeysOfEventsAreChecked(t *testing.T) {
	needed(t)
	for name, c := range map[string]struct {
		keys, allow string
		names       string // in the error; empty means none
	}{
		"one":            {keys: signingKey},
		"two, spaced":    {keys: signingKey + ", " + strings.Repeat("b", 32) + "\n"},
		"none":           {names: "ALLOW_UNSIGNED_EVENTS"},
		"none, allowed":  {allow: "true"},
		"short":          {keys: signingKey + ",short-secret", names: "EVENT_SIGNING_KEYS"},
		"short, allowed": {keys: "short-secret", allow: "true", names: "EVENT_SIGNING_KEYS"},
		"three":          {keys: signingKey + "," + signingKey + "," + signingKey, names: "EVENT_SIGNING_KEYS"},
		"no bool":        {keys: signingKey, allow: "maybe", names: "ALLOW_UNSIGNED_EVENTS"},
	} {
		t.Setenv("EVENT_SIGNING_KEYS", c.keys)
		t.Setenv("ALLOW_UNSIGNED_EVENTS", "false")
		if c.allow != "" {
			t.Setenv("ALLOW_UNSIGNED_EVENTS", c.allow)
		}
		for _, config := range []interface{ Validate() error }{
			configOf(t, "bridge"), configOf(t, "filter"), configOf(t, "detect"), &role.EventsConfig{},
		} {
			err := role.Load(config)
			if err == nil {
				err = config.Validate()
			}
			switch {
			case c.names == "" && err != nil:
				t.Errorf("%s: %v", name, err)
			case c.names != "" && (err == nil || !strings.Contains(err.Error(), c.names)):
				t.Errorf("%s: %v, want an error about %s", name, err, c.names)
			case err != nil && (strings.Contains(err.Error(), signingKey) || strings.Contains(err.Error(), "short-secret")):
				t.Errorf("%s: a key is printed: %v", name, err)
			}
		}
	}
}
