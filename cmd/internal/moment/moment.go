// Package moment parses the times in flags of commands.
package moment

import (
	"fmt"
	"time"
)

// Parse parses a duration before now or a time of RFC 3339. An empty text is the zero time. Errors name the flag.
func Parse(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("--%s is %q but must be a duration such as 90m or a time such as 2026-11-25T03:00:00Z", flag, text)
	}
	return t, nil
}
