package scenario

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"image"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"imageflow.dev/internal/testing/freeport"
)

const (
	imageKey   = "a key of signed URLs for these tests"
	imageToken = "secret-of-the-gateway"
)

// imagePresets are the presets of images. They have formats, so that the Accept header matters only for some.
const imagePresets = `
presets:
  card: {resize: {target_width: %d}}
  small: {resize: {target_width: 40, output_image: {content_type: image/jpeg}}}
  progressive: {resize: {target_width: 60, encoding: {progressive: true}}}
  shouted: {resize: {target_width: 40, output_image: {content_type: IMAGE/PNG}}}
  found: {detect: {confidence_threshold: 0.5}}
`

// imageGateway is a gateway with signed URLs of images, whose requests to the store are counted.
type imageGateway struct {
	*deployment
	process *process
	resize  *process
	base    string
	// gets and heads count the gateway's requests to the store for objects.
	gets, heads atomic.Int64
	// held is locked while the store does not answer the resize's requests.
	held    sync.RWMutex
	metrics string // the address of the metrics of its resize
}

// startImages starts a gateway beside that of the deployment, with a resize of its own.
func startImages(t testing.TB, d *deployment, width int, env ...string) *imageGateway {
	t.Helper()
	g := &imageGateway{deployment: d, metrics: freeport.Address()}
	file := filepath.Join(t.TempDir(), "presets.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, imagePresets, width), 0o600); err != nil {
		t.Fatal(err)
	}
	held := g.proxy(t, func(*http.Request) {
		g.held.RLock()
		defer g.held.RUnlock()
	})
	counted := g.proxy(t, func(r *http.Request) {
		switch r.Method {
		case http.MethodGet:
			g.gets.Add(1)
		case http.MethodHead:
			g.heads.Add(1)
		}
	})
	resize, gateway := freeport.Address(), freeport.Address()
	g.resize = launch(t, "serving", append(d.environment("resize"), portOf("PORT", resize), portOf("METRICS_PORT", g.metrics),
		"MINIO_ENDPOINT="+held, "STORE_PROGRESS_TIMEOUT=10m", "JOB_TIMEOUT=10m", "PRESETS_FILE="+file), "imageflow", "resize")
	env = append(append(d.environment("gateway"), portOf("PORT", gateway), "METRICS_PORT=0", "MINIO_ENDPOINT="+counted,
		"RESIZE_GRPC_ENDPOINT="+resize, "REQUEST_TIMEOUT=10m",
		"PRESETS_FILE="+file, "IMAGE_SIGNING_KEYS="+imageKey, "GATEWAY_TOKEN="+imageToken), env...)
	g.process = launch(t, "serving", env, "imageflow", "gateway")
	g.base = "http://" + gateway
	return g
}

// portOf returns a variable with the port of an address.
func portOf(name, address string) string {
	_, port, _ := net.SplitHostPort(address)
	return name + "=" + port
}

// proxy returns the address of a proxy of the store, which calls see before each request.
func (g *imageGateway) proxy(t testing.TB, see func(*http.Request)) string {
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: g.addresses["s3"]})
		r.Out.Host = r.In.Host // which is signed
		see(r.In)
	}}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// escaped returns a path or a value as it is signed, by the rules of docs/IMAGES.md.
func escaped(text string, isPath bool) string {
	text = strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
	if isPath {
		text = strings.ReplaceAll(text, "%2F", "/")
	}
	return text
}

// sign returns a URL.
func (g *imageGateway) sign(key string, expires time.Time, parameters ...string) string {
	parameters = append(parameters, "expires="+strconv.FormatInt(expires.Unix(), 10))
	text := "/v1/images/" + escaped(key, true) + "?" + strings.Join(slices.Sorted(slices.Values(parameters)), "&")
	mac := hmac.New(sha256.New, []byte(imageKey))
	mac.Write([]byte(text))
	return g.base + text + "&sig=" + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// signed is sign for an hour.
func (g *imageGateway) signed(key string, parameters ...string) string {
	return g.sign(key, time.Now().Add(time.Hour), parameters...)
}

// fetch sends a request with headers, given as names and values.
func fetch(t testing.TB, method, link string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// wantImage checks an answer and returns its ETag.
func wantImage(t testing.TB, resp *http.Response, body, contentType string, width int) string {
	t.Helper()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != contentType {
		t.Fatalf("%d %s, want %s: %.300s", resp.StatusCode, resp.Header.Get("Content-Type"), contentType, body)
	}
	if width > 0 {
		if got, _, err := image.DecodeConfig(strings.NewReader(body)); err != nil || got.Width != width {
			t.Errorf("width %d, %v; want %d", got.Width, err, width)
		}
	}
	return resp.Header.Get("ETag")
}
