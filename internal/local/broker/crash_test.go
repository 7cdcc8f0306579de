package broker_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"imageflow.dev/internal/local/broker"
)

// childDir and childManifest make the test binary run a broker.
const childDir, childManifest = "BROKER_TEST_DIR", "BROKER_TEST_MANIFEST"

func runChild(dir string) {
	m, err := broker.ReadManifests(fstest.MapFS{"m.yaml": {Data: []byte(os.Getenv(childManifest))}})
	if err != nil {
		panic(err)
	}
	b, err := broker.Start(context.Background(),
		broker.Config{Address: "127.0.0.1:0", Dir: dir, Manifests: m, Resolve: none, AckWait: ackWait})
	if err != nil {
		panic(err)
	}
	fmt.Println(b.URL("test", "default"))
	select {}
}

func startChild(t *testing.T, dir, text string) (child *exec.Cmd, url string) {
	child = exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir, childManifest+"="+text)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return child, strings.TrimSpace(line)
}

// TestKill_eventsAreDeliveredAfterIt: a delivery is in flight, and other events are queued.
func TestKill_eventsAreDeliveredAfterIt(t *testing.T) {
	hung := make(chan struct{})
	s := subscribe(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-hung:
		case <-r.Context().Done():
		}
	})
	dir := t.TempDir()
	text := manifest("{retry: 0}", map[string]string{"t": on("a", s)})
	child, url := startChild(t, dir, text)
	postEvents(t, url, 20)
	s.next(t)
	kill(t, child)
	close(hung)
	for len(s.got) > 0 {
		<-s.got
	}
	b := start(t, broker.Config{Dir: dir}, text)
	seen := map[string]bool{}
	for len(seen) < 20 {
		seen[s.next(t).attribute("Id")] = true
	}
	waitIdle(t, b)
}

// TestKill_countsNoAttempt: deliveries that end with the broker use up no retries.
func TestKill_countsNoAttempt(t *testing.T) {
	var mode atomic.Int32 // how to answer: not at all while 0, then with 503 once, then with 202
	hung := make(chan struct{})
	s := subscribe(t, func(w http.ResponseWriter, r *http.Request) {
		switch mode.Load() {
		case 0:
			select {
			case <-hung:
			case <-r.Context().Done():
			}
		case 1:
			mode.Add(1)
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			w.WriteHeader(http.StatusAccepted)
		}
	})
	dir := t.TempDir()
	text := manifest("{retry: 1, backoffPolicy: linear, backoffDelay: PT0.1S}", map[string]string{"t": on("a", s)})
	child, url := startChild(t, dir, text)
	postEvents(t, url, 1)
	for range 2 {
		s.next(t)
		kill(t, child)
		child, _ = startChild(t, dir, text)
	}
	s.next(t)
	kill(t, child)
	mode.Store(1)
	close(hung)
	b := start(t, broker.Config{Dir: dir}, text)
	s.next(t) // is answered with 503
	s.next(t)
	waitIdle(t, b)
}

// postEvents sends n events of the type "a" to a broker.
func postEvents(t *testing.T, url string, n int) {
	t.Helper()
	for i := range n {
		req, _ := http.NewRequest(http.MethodPost, url, strings.NewReader("{}"))
		req.Header = headerOf("a")
		req.Header.Set("Ce-Id", fmt.Sprint(i))
		resp, err := http.DefaultClient.Do(req)
		if err != nil || resp.StatusCode != http.StatusAccepted {
			t.Fatalf("got %v, %v", resp, err)
		}
		resp.Body.Close()
	}
}

func kill(t *testing.T, child *exec.Cmd) {
	t.Helper()
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
}

func TestClose_cancelledDeliveriesAreRepeated(t *testing.T) {
	hung := make(chan struct{})
	s := subscribe(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hung:
		case <-r.Context().Done():
		}
	})
	dir := t.TempDir()
	text := manifest("{retry: 0}", map[string]string{"t": on("a", s)})
	b := start(t, broker.Config{Dir: dir}, text)
	publish(t, b, "a", "{}")
	s.next(t)
	began := time.Now()
	b.Close()
	if took := time.Since(began); took > time.Second {
		t.Errorf("Close took %v", took)
	}
	close(hung)
	b = start(t, broker.Config{Dir: dir}, text)
	s.next(t)
	waitIdle(t, b)
}

func TestShutdownWaitsForDeliveries(t *testing.T) {
	s := subscribe(t, func(http.ResponseWriter, *http.Request) { time.Sleep(200 * time.Millisecond) })
	dir := t.TempDir()
	text := manifest("{retry: 0}", map[string]string{"t": on("a", s)})
	b := start(t, broker.Config{Dir: dir}, text)
	publish(t, b, "a", "{}")
	s.next(t)
	if err := b.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	b = start(t, broker.Config{Dir: dir}, text)
	waitIdle(t, b)
	s.none(t, 0)
}

// TestRemovedTrigger: its events are removed. A new Trigger receives the events that were
// published after its creation.
func TestRemovedTrigger(t *testing.T) {
	unavailable := subscribe(t, answer(503, ""))
	s := subscribe(t, nil)
	dir := t.TempDir()
	b := start(t, broker.Config{Dir: dir}, manifest("{retry: 9, backoffPolicy: linear, backoffDelay: PT1H}",
		map[string]string{"old": on("a", unavailable)}))
	publish(t, b, "a", "{}")
	unavailable.next(t)
	b.Close()
	b = start(t, broker.Config{Dir: dir}, manifest("{retry: 0}", map[string]string{"new": on("a", s)}))
	publish(t, b, "a", `{"new":1}`)
	if d := s.next(t); d.body != `{"new":1}` {
		t.Errorf("got %q", d.body)
	}
	waitIdle(t, b)
}
