package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"strings"

	"imageflow.dev/internal/testing/freeport"
)

// target is a server under test.
type target struct {
	name    string
	process *process // nil if it runs elsewhere
	stores  bool     // it writes its outputs into the bucket
	request func(n int) (*http.Request, error)

	sent  int // number of requests so far
	turns []turn
}

// imageEnvironment holds the variables that the container image and the manifests set.
var imageEnvironment = []string{
	"VIPS_CONCURRENCY=1", "MALLOC_ARENA_MAX=2", "MALLOC_MMAP_THRESHOLD_=1048576", "MALLOC_TRIM_THRESHOLD_=16777216",
	"VIPS_DISC_THRESHOLD=1g", "VIPS_WARNING=1", "GOGC=400", "GOMEMLIMIT=1GiB", "MAX_ACTIVE_JOBS=8", "QUEUE_LENGTH=64",
}

// startTargets starts all servers. Ratios are relative to the first one.
func (s *servers) startTargets(ctx context.Context, c config, st *store) (targets []*target, err error) {
	for _, build := range []struct{ name, binary string }{{"base", c.base}, {"ours", c.ours}} {
		if build.binary == "" {
			continue
		}
		t, err := s.startImageFlow(ctx, c, st, build.name, build.binary)
		if err != nil {
			return nil, err
		}
		targets = append(targets, t)
	}
	if c.peerURL == "" {
		return targets, nil
	}
	peer := &target{name: "peer", request: func(n int) (*http.Request, error) {
		return http.NewRequest(http.MethodGet, c.peerAddress("http://"+st.address+"/"+bucket+"/"+st.source(n)), nil)
	}}
	if c.peerCommand != "" {
		cmd := exec.Command("sh", "-c", "exec "+c.peerCommand)
		url := c.peerAddress("http://" + st.address + "/" + bucket + "/" + st.source(0))
		if peer.process, err = s.start(ctx, "peer", url, cmd); err != nil {
			return nil, err
		}
	}
	return append(targets, peer), nil
}

// peerAddress returns the peer's URL for a source.
func (c config) peerAddress(source string) string {
	return strings.NewReplacer("{url}", source, "{width}", strconv.Itoa(c.width), "{height}", strconv.Itoa(c.height)).
		Replace(c.peerURL)
}

// startImageFlow starts a resize process. Each request is a job of its own: it has its own
// execution id, so its output has a name of its own.
func (s *servers) startImageFlow(ctx context.Context, c config, st *store, name, binary string) (*target, error) {
	address, metrics := freeport.Address(), strconv.Itoa(freeport.Port())
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	env := append(imageEnvironment[:len(imageEnvironment):len(imageEnvironment)],
		"HOST="+host, "PORT="+port, "METRICS_PORT="+metrics, "DRAIN_DELAY=0s", "ALLOW_UNSIGNED_EVENTS=true",
		"MINIO_ENDPOINT="+st.address,
		"MINIO_ACCESS_KEY="+accessKey, "MINIO_SECRET_KEY="+secretKey, "MINIO_BUCKET="+bucket)
	p, err := s.start(ctx, name, "http://"+address+"/healthz", exec.Command(binary, "resize"), env...)
	if err != nil {
		return nil, err
	}
	return &target{name: name, process: p, stores: true, request: func(n int) (*http.Request, error) {
		body := fmt.Sprintf(
			`{"input_image": {"object_key": %q}, "target_width": %d, "target_height": %d, "execution_id": "%s/%d"}`,
			st.source(n), c.width, c.height, name, n)
		r, err := http.NewRequest(http.MethodPost, "http://"+address+"/v1/resize", strings.NewReader(body))
		if err == nil {
			r.Header.Set("Content-Type", "application/json")
		}
		return r, err
	}}, nil
}

// do sends the nth request and reads the answer.
func (t *target) do(ctx context.Context, client *http.Client, n int) error {
	r, err := t.request(n)
	if err != nil {
		return err
	}
	response, err := client.Do(r.WithContext(ctx))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		return fmt.Errorf("%s answered %s: %s", t.name, response.Status, text)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}
