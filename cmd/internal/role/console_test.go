package role_test

import (
	"strings"
	"testing"

	"imageflow.dev/cmd/internal/role"
)

// TestConsoleConfig_readiness: a probe without a URL that can be asked is refused at the start.
func TestConsoleConfig_readiness(t *testing.T) {
	for text, isGood := range map[string]bool{
		"": true, "bridge=http://bridge/health/readiness notify=https://notify": true,
		"bridge=": false, "bridge=bridge:8080/health": false, "bridge=ftp://bridge/": false, "bridge=http:///health": false,
	} {
		c := role.ConsoleConfig{Probes: text}
		if isRefused := strings.Contains(c.Validate().Error(), "READINESS_URLS"); isRefused == isGood {
			t.Errorf("%q is refused: %v", text, isRefused)
		}
	}
}
