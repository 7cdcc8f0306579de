package role_test

import (
	"strings"
	"testing"

	"imageflow.dev/cmd/internal/role"
	"imageflow.dev/internal/testing/freeport"
)

// TestMetricsAndProfilesStayOnTheMachine unless another address is set,
// whatever HOST is.
func TestMetricsAndProfilesStayOnTheMachine(t *testing.T) {
	t.Setenv("HOST", "0.0.0.0")
	t.Setenv("PPROF", "true")
	config := role.Server{}
	if err := role.Load(&config); err != nil {
		t.Fatal(err)
	}
	if config.PProfAddress != "127.0.0.1:6060" || config.MetricsHost != "127.0.0.1" {
		t.Errorf("profiles at %s, metrics at %s", config.PProfAddress, config.MetricsHost)
	}
	config.PProfAddress, config.MetricsPort = "127.0.0.1:0", freeport.Port()
	endpoints, err := config.Serve()
	if err != nil || len(endpoints) != 2 {
		t.Fatalf("%d endpoints, %v", len(endpoints), err)
	}
	for _, e := range endpoints {
		if !strings.HasPrefix(e.Address(), "127.0.0.1:") {
			t.Errorf("one listens at %s", e.Address())
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, everywhere := range []string{":6060", "6060", ""} {
		config.PProfAddress = everywhere
		if err := config.Telemetry.Validate(); err == nil || !strings.Contains(err.Error(), "PPROF_ADDRESS") {
			t.Errorf("PPROF_ADDRESS %q: %v", everywhere, err)
		}
	}
}
