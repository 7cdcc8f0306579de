package role_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"imageflow.dev/cmd/internal/role"
	"imageflow.dev/internal/testing/stores"
)

// run runs a role. The returned function ends it and returns its error.
func run(t *testing.T, name string) (address string, end func() error) {
	t.Helper()
	for _, r := range role.All {
		if r.Name != name {
			continue
		}
		t.Setenv("METRICS_PORT", "0")
		c := r.Config()
		if err := role.Load(c); err != nil {
			t.Fatal(err)
		}
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		watch, err := c.Watch(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		process, err := r.Listen(ctx, c, watch.Tracing)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- process.Run(ctx) }()
		return process.Address(), func() error {
			cancel()
			return errors.Join(<-ended, watch.Close())
		}
	}
	t.Fatalf("there is no role %s", name)
	return "", nil
}

// TestBridgeSweepsAndDrains: the bridge finds an object without a notification, and ends only after
// the broker has accepted its event.
func TestBridgeSweepsAndDrains(t *testing.T) {
	config, store := stores.Start(t, stores.Local, "uploads", "imageflow-dead-letters")
	asked, held := make(chan string, 100), make(chan struct{})
	release := sync.OnceFunc(func() { close(held) })
	broker := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- r.Header.Get("Ce-Subject")
		<-held
	}))
	t.Cleanup(broker.Close)
	t.Cleanup(release)
	for name, value := range map[string]string{
		"HOST": "127.0.0.1", "PORT": "0", "DRAIN_DELAY": "0s",
		"MINIO_ENDPOINT": config.Endpoint, "MINIO_ACCESS_KEY": config.AccessKey, "MINIO_SECRET_KEY": config.SecretKey,
		"MINIO_BUCKET": "uploads", "BROKER_URL": broker.URL, "BRIDGE_TOKEN": "the-bridge-token",
		"EVENT_SIGNING_KEYS": signingKey, "ACCEPT_WITHIN": "1ms",
		"SWEEP_INTERVAL": "10ms", "SWEEP_GRACE": "1ms",
	} {
		t.Setenv(name, value)
	}
	for _, key := range []string{"in/cat.jpg", "in/dog.jpg"} {
		if _, err := store.Put(t.Context(), "uploads", key, "image/jpeg", []byte("x"), nil); err != nil {
			t.Fatal(err)
		}
	}
	_, end := run(t, "bridge")
	// Events are sent one after the other. When the second one arrives, the first is waiting in the
	// background.
	if first, second := <-asked, <-asked; first != "in/cat.jpg" || second != "in/dog.jpg" {
		t.Errorf("sent %q, %q", first, second)
	}
	ended := make(chan error)
	go func() { ended <- end() }()
	select {
	case err := <-ended:
		t.Fatalf("ended with an event on its way: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	release()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestBridgeRefusesAStore: a bridge ends if its settings claim a feature that the store lacks.
func TestBridgeRefusesAStore(t *testing.T) {
	config, _ := stores.Start(t, stores.Plain, "imageflow-files", "imageflow-dead-letters")
	for name, value := range map[string]string{
		"HOST": "127.0.0.1", "PORT": "0", "DRAIN_DELAY": "0s", "EVENT_SIGNING_KEYS": signingKey,
		"MINIO_ENDPOINT": config.Endpoint, "MINIO_ACCESS_KEY": config.AccessKey, "MINIO_SECRET_KEY": config.SecretKey,
		"BROKER_URL": "http://127.0.0.1:1", "BRIDGE_TOKEN": "the-bridge-token", "STORE_CONDITIONAL_WRITES": "false",
	} {
		t.Setenv(name, value)
	}
	address, end := run(t, "bridge")
	for serves := true; serves; {
		answer, err := http.Get("http://" + address)
		if serves = err == nil; serves {
			answer.Body.Close()
		}
	}
	if err := end(); err == nil || !strings.Contains(err.Error(), "STORE_TAGS=false") {
		t.Errorf("the bridge ended with %v", err)
	}
}

// TestGatewayWithoutAStore: everything works except executions, whose error says why.
func TestGatewayWithoutAStore(t *testing.T) {
	for name, value := range map[string]string{"HOST": "127.0.0.1", "PORT": "0", "DRAIN_DELAY": "0s"} {
		t.Setenv(name, value)
	}
	address, end := run(t, "gateway")
	resp, err := http.Get("http://" + address + "/v1/executions/uploads/cat")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusNotImplemented || !strings.Contains(string(body), "MINIO_ENDPOINT") {
		t.Errorf("answered %d %s, %v", resp.StatusCode, body, err)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

func TestSweepOutOfRangeIsNamed(t *testing.T) {
	needed(t)
	t.Setenv("SWEEP_INTERVAL", "-1s")
	c := configOf(t, "bridge")
	if err := role.Load(c); err != nil {
		t.Fatal(err)
	}
	wantNames(t, c.Validate(), "SWEEP_INTERVAL")
	for name, value := range map[string]string{
		"SWEEP_INTERVAL": "1m", "SWEEP_GRACE": "0s", "SWEEP_HORIZON": "0s", "SWEEP_RATE": "0",
	} {
		t.Setenv(name, value)
	}
	if err := role.Load(c); err != nil {
		t.Fatal(err)
	}
	wantNames(t, c.Validate(), "SWEEP_GRACE", "SWEEP_HORIZON", "SWEEP_RATE")
	t.Setenv("SWEEP_INTERVAL", "0s")
	if err := role.Load(c); err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Errorf("a sweeper that is off: %v", err)
	}
}
