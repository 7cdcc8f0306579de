package scenario

import (
	"bytes"
	"context"
	"image"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// testWaiters: while the render waits for the store, 200 ask for its image, and the first of them leaves.
func (g *imageGateway) testWaiters(t *testing.T) {
	g.place(t, "waiters/a.jpg", jpegOf(t, 300, 200))
	link, before := g.signed("waiters/a.jpg", "preset=small"), g.renders(t)
	g.held.Lock()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	heads := g.heads.Load()
	req, err := http.NewRequestWithContext(ctx, "GET", link, nil)
	if err != nil {
		t.Fatal(err)
	}
	first := make(chan error, 1)
	go func() {
		_, err := http.DefaultClient.Do(req)
		first <- err
	}()
	eventually(t, "the first to wait", func() bool { return g.heads.Load() >= heads+2 })
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			if resp, body := fetch(t, "GET", link); resp.StatusCode != http.StatusOK {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
		})
	}
	eventually(t, "all to wait", func() bool { return g.heads.Load() >= heads+402 })
	leave()
	if err := <-first; err == nil {
		t.Error("the first did not leave")
	}
	g.held.Unlock()
	all.Wait()
	if n := g.renders(t) - before; n != 1 {
		t.Errorf("%d renders for 200 waiters", n)
	}
}

// renders returns the number of calls of the resize that have ended.
func (g *imageGateway) renders(t *testing.T) (n int) {
	t.Helper()
	_, text := fetch(t, "GET", "http://"+g.metrics+"/metrics")
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "imageflow_request_duration_seconds_count") && strings.Contains(line, "ResizeService") {
			value, _ := strconv.Atoi(strings.TrimSpace(line[strings.LastIndexByte(line, ' '):]))
			n += value
		}
	}
	return n
}

// TestImages_budget: while the renders wait for the store, 10,000 different URLs are refused beyond the budget, from
// memory that does not grow with their number.
func TestImages_budget(t *testing.T) {
	const budget, urls, callers = 4, 10_000, 200
	g := startImages(t, deploy(t, setup{}), 50, "IMAGE_OPTIONS=true", "MAX_IMAGE_RENDERS="+strconv.Itoa(budget))
	g.place(t, "in.jpg", jpegOf(t, 300, 200))
	resp, body := fetch(t, "GET", g.signed("in.jpg", "encoding.quality=50", "target_width=33"))
	wantImage(t, resp, body, "image/jpeg", 33)
	peak := func() int { return statusOf(t, g.process.cmd.Process.Pid, "VmHWM") >> 10 }
	var served, refused atomic.Int64
	numbers := make(chan int)
	var all sync.WaitGroup
	g.held.Lock()
	for range callers + budget {
		all.Go(func() {
			for n := range numbers {
				g.fetchSize(t, n, &served, &refused)
			}
		})
	}
	first := 0
	for n := range urls {
		numbers <- n
		if n == urls/5 {
			first = peak()
		}
	}
	close(numbers)
	eventually(t, "the refusals", func() bool { return refused.Load() == urls-budget })
	g.held.Unlock()
	all.Wait()
	t.Logf("%d served, %d refused; the gateway's peak of memory: %d MiB after a fifth, %d MiB at the end",
		served.Load(), refused.Load(), first, peak())
	if served.Load() != budget || peak() > 2*first { // what is kept for each URL would make it five times as much
		t.Errorf("%d served, want %d; the peak of memory grew from %d to %d MiB", served.Load(), budget, first, peak())
	}
}

// fetchSize asks for one of 10,000 sizes, and counts the answer.
func (g *imageGateway) fetchSize(t *testing.T, n int, served, refused *atomic.Int64) {
	width, height := "target_width="+strconv.Itoa(n/100+1), "crop.height="+strconv.Itoa(n%100+1)
	resp, body := fetch(t, "GET", g.signed("in.jpg", height, "crop.width=100", width))
	switch {
	case resp.StatusCode == http.StatusOK:
		served.Add(1)
	case resp.StatusCode == 429 && resp.Header.Get("Retry-After") != "" && strings.Contains(body, "MAX_IMAGE_RENDERS"):
		refused.Add(1)
	default:
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// TestImages_documented runs the example of docs/IMAGES.md with openssl, and imageflow sign.
func TestImages_documented(t *testing.T) {
	env := []string{"IMAGE_SIGNING_KEYS=" + imageKey}
	s := local(t, setup{env: env, flags: []string{"--presets", "config/components/presets/presets.yaml"}})
	s.place(t, "uploads/cat.jpg", jpegOf(t, 1300, 800))
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "IMAGES.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(text), "```sh\nurl=")
	example, _, _ = strings.Cut("url="+example, "```")
	base := s.url("gateway", "")
	cmd := exec.Command("bash", "-euc", strings.ReplaceAll(example, "http://127.0.0.1:8080", base)+"\ncat card.jpg")
	cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), env...)
	card, err := cmd.Output()
	if config, _, _ := image.DecodeConfig(bytes.NewReader(card)); err != nil || config.Width != 640 || config.Height != 360 {
		t.Errorf("the example made an image of %d×%d pixels, %v", config.Width, config.Height, err)
	}
	sign := exec.Command(filepath.Join(binaries, "imageflow"), "sign", "--base", base, "--in", "1m",
		"uploads/cat.jpg", "preset=icon")
	sign.Env = append(os.Environ(), env...)
	out, err := sign.Output()
	if err != nil {
		t.Fatal(err)
	}
	resp, body := fetch(t, "GET", strings.TrimSpace(string(out)))
	wantImage(t, resp, body, "image/webp", 0)
	guide := regexp.MustCompile(`curl -s '(http[^']*/v1/images/[^']*)'`).FindStringSubmatch(s.output.String())
	if guide == nil {
		t.Fatal("local mode prints no example")
	}
	s.place(t, "uploads/mine.jpg", jpegOf(t, 1300, 800))
	resp, body = fetch(t, "GET", guide[1])
	wantImage(t, resp, body, "image/jpeg", 640)
}
