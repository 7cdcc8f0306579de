package role_test

import (
	"strings"
	"testing"

	"imageflow.dev/cmd/internal/role"
)

// TestConsoleConfig_names: addresses and starts of keys that cannot work are refused at the start.
func TestConsoleConfig_names(t *testing.T) {
	for _, c := range []struct {
		variable string
		config   role.ConsoleConfig
		isGood   bool
	}{
		{"GATEWAY_ENDPOINT", role.ConsoleConfig{Gateway: "grpc-gateway:80"}, true},
		{"GATEWAY_ENDPOINT", role.ConsoleConfig{Gateway: "[::1]:80"}, true},
		{"GATEWAY_ENDPOINT", role.ConsoleConfig{Gateway: "http://grpc-gateway:80"}, false},
		{"GATEWAY_ENDPOINT", role.ConsoleConfig{Gateway: "grpc-gateway"}, false},
		{"GATEWAY_ENDPOINT", role.ConsoleConfig{}, false},
		{"UPLOAD_PREFIX", role.ConsoleConfig{Prefix: "uploads/"}, true},
		{"UPLOAD_PREFIX", role.ConsoleConfig{Prefix: "a/b-"}, true},
		{"UPLOAD_PREFIX", role.ConsoleConfig{}, true},
		{"UPLOAD_PREFIX", role.ConsoleConfig{Prefix: "/../x"}, false},
		{"UPLOAD_PREFIX", role.ConsoleConfig{Prefix: "uploads//"}, false},
		{"UPLOAD_PREFIX", role.ConsoleConfig{Prefix: strings.Repeat("x", 600)}, false},
	} {
		if isRefused := strings.Contains(c.config.Validate().Error(), c.variable); isRefused == c.isGood {
			t.Errorf("%s of %q, %q is refused: %v", c.variable, c.config.Gateway, c.config.Prefix, isRefused)
		}
	}
}

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
