package scenario

import (
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"imageflow.dev/internal/testing/freeport"
	"imageflow.dev/internal/testing/otlp"
)

// BenchmarkTelemetry sends 1080p JPEGs through the chain of two local systems in
// turn, one with metrics and traces and one without, and compares their CPU time. Run it with -benchtime=200x or more.
func BenchmarkTelemetry(b *testing.B) {
	img, batch := sample(b), 20
	systems := []*system{
		local(b, setup{env: []string{"OTEL_SDK_DISABLED=true"}, flags: []string{"--verbose"}}),
		local(b, setup{env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + otlp.Start(b).HTTP}, flags: []string{"--verbose"}}),
	}
	var took [2][]float64 // CPU-ms an image
	var ratios []float64
	for round := range max(b.N/batch, 1) + 1 {
		var now [2]float64
		for i := range systems {
			which := (i + round) % 2 // neither is always the first
			now[which] = systems[which].spend(b, fmt.Sprintf("%d-%d", b.N, round), batch, img)
		}
		if round == 0 {
			continue // to warm up
		}
		took[0], took[1] = append(took[0], now[0]), append(took[1], now[1])
		ratios = append(ratios, now[1]/now[0])
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(took[0]), "CPU-ms/image-off")
	b.ReportMetric(median(took[1]), "CPU-ms/image-on")
	b.ReportMetric(median(ratios), "on/off")
}

// spend sends a batch through the chain and returns the CPU-ms an image.
func (s *system) spend(b *testing.B, name string, batch int, img []byte) float64 {
	before := cpu(b, s.cmd.Process.Pid)
	for i := range batch {
		key := fmt.Sprintf("%s-%d.jpg", name, i)
		s.put(b, key, "image/jpeg", img)
		for s.tag(b, key) != "completed" {
			time.Sleep(20 * time.Millisecond)
		}
	}
	time.Sleep(200 * time.Millisecond) // the last spans go
	return milliseconds(cpu(b, s.cmd.Process.Pid)-before) / float64(batch)
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// TestLogsContainNoSecret: each job has one log line with its trace and execution. No line or span
// contains a credential or token, not even a wrong one.
func TestLogsContainNoSecret(t *testing.T) {
	received := otlp.Start(t)
	store := local(t, setup{})
	store.place(t, "cat.jpg", jpegOf(t, 300, 300))
	parts := map[string]*process{}
	addresses := map[string]string{}
	start := func(name, role string, env ...string) {
		addresses[name] = freeport.Address()
		host, port, _ := net.SplitHostPort(addresses[name])
		parts[name] = launch(t, "serving", append(append(tracing(received),
			"HOST="+host, "PORT="+port, "METRICS_PORT=0", "DRAIN_DELAY=0s", "MINIO_ENDPOINT="+store.addresses["s3"],
			"MINIO_ACCESS_KEY="+accessKey, "MINIO_SECRET_KEY="+secretKey, "SWEEP_INTERVAL=0"), env...), "imageflow", role)
	}
	start("resize", "resize")
	start("locked out", "resize", "MINIO_SECRET_KEY=a-wrong-store-secret")
	start("gateway", "gateway", "GATEWAY_TOKEN=the-gateway-token", "RESIZE_GRPC_ENDPOINT="+addresses["resize"])
	start("bridge", "bridge", "BRIDGE_TOKEN=the-bridge-token", "BROKER_URL=http://user:the-broker-password@127.0.0.1:1")

	tellSecrets(t, addresses)
	secret := regexp.MustCompile(`(?i)[a-z-]*(` + secretKey +
		`|store-secret|gateway-token|bridge-token|broker-password|some-token)|Bearer|AWS4-HMAC|X-Amz-(Signature|Credential)`)
	for name, p := range parts {
		if err := p.stop(t); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if found := secret.FindString(p.output.String()); found != "" {
			t.Errorf("%s logs %q:\n%s", name, found, p.output)
		}
	}
	spans := received.Spans()
	if found := secret.FindString(fmt.Sprint(spans)); found != "" || len(spans) == 0 {
		t.Errorf("%d spans have %q", len(spans), found)
	}
	line := regexp.MustCompile(
		`"msg":"job","step":"resize","outcome":"done".*"trace_id":"[0-9a-f]{32}","span_id":"[0-9a-f]{16}","execution":"quiet"`,
	)
	if log := parts["resize"].output.String(); !line.MatchString(log) || strings.Count(log, `"msg":"job"`) != 1 {
		t.Errorf("not one line of the job:\n%s", log)
	}
}

// tellSecrets makes calls with right and wrong tokens.
func tellSecrets(t *testing.T, addresses map[string]string) {
	t.Helper()
	call := `{"input_image":{"bucket":"imageflow-files","object_key":"cat.jpg"},"execution_id":"quiet","target_width":100}`
	notification := `{"Records":[{"eventName":"s3:ObjectCreated:Put",` +
		`"s3":{"bucket":{"name":"imageflow-files"},"object":{"key":"cat.jpg"}}}]}`
	for _, c := range []struct {
		to, path, token, body string
		want                  int
	}{
		{"gateway", "/v1/resize", "the-gateway-token", call, http.StatusOK},
		{"gateway", "/v1/resize", "a-wrong-gateway-token", call, http.StatusUnauthorized},
		{"locked out", "/v1/resize", "some-token", call, http.StatusServiceUnavailable},
		{"bridge", "/notifications", "the-bridge-token", notification, http.StatusServiceUnavailable},
		{"bridge", "/notifications", "a-wrong-bridge-token", notification, http.StatusUnauthorized},
	} {
		if got := bear(t, "http://"+addresses[c.to]+c.path, c.token, c.body); got != c.want {
			t.Errorf("%s with %s: answered %d, want %d", c.to, c.token, got, c.want)
		}
	}
}

// bear posts JSON with a bearer token and returns the status.
func bear(t *testing.T, url, token, body string) int {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}
