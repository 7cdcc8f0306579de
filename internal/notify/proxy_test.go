package notify_test

import (
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"imageflow.dev/internal/notify"
)

// TestProxy: a proxy of the environment gets deliveries only if it is asked for, since it, and not notify, would decide
// to which addresses it connects. The environment is read once per process, so the test runs itself.
func TestProxy(t *testing.T) {
	if proxied := os.Getenv("NOTIFY_TEST_PROXIED"); proxied != "" {
		deliverByProxy(t, proxied == "true")
		return
	}
	for _, use := range []bool{false, true} {
		proxy := newReceiver(t, http.StatusNoContent)
		//nolint:gosec // the test itself
		self := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProxy$")
		self.Env = append(os.Environ(), "HTTP_PROXY="+proxy.URL, "NOTIFY_TEST_PROXIED="+strconv.FormatBool(use))
		if out, err := self.CombinedOutput(); err != nil {
			t.Errorf("use %v: %v: %s", use, err, out)
		}
		if got := len(proxy.got); (got > 0) != use {
			t.Errorf("use %v: the proxy got %d requests", use, got)
		}
	}
}

func deliverByProxy(t *testing.T, use bool) {
	t.Helper()
	h := notify.New(notify.Config{
		Hooks:   map[string]notify.Hook{"shop": {URL: "http://169.254.169.254/latest", Secrets: []string{secretOld}}},
		Timeout: timeout, PrivateNetworks: loopback, UseProxy: use,
	})
	want := map[bool]int{false: http.StatusUnprocessableEntity, true: http.StatusAccepted}[use]
	if got := send(t, h, "hook=shop", finished(t)); got.StatusCode != want {
		t.Errorf("answered %d, want %d", got.StatusCode, want)
	}
}
