package notify_test

import (
	"strings"
	"testing"

	"imageflow.dev/internal/notify"
)

// TestParseHooks_errorsShowNoSecret: an entry without its name is reported without its text.
func TestParseHooks_errorsShowNoSecret(t *testing.T) {
	const secret = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	for _, c := range []struct{ urls, secrets string }{
		{"shop=https://shop.example/", "whsec_" + secret + "="},
		{"shop=https://shop.example/", secret},
		{"https://shop.example/" + secret + "?a=b", ""},
		{"shop=https://shop.example/", "shop=" + secret},
	} {
		if _, err := notify.ParseHooks(c.urls, c.secrets); err == nil || strings.Contains(err.Error(), secret[:8]) {
			t.Errorf("%v: %v", c, err)
		}
	}
}
