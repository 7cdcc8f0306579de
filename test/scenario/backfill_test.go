package scenario

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// backfillImages is the size of the backfill tests. `make backfill` sets a larger value.
var backfillImages = flag.Int("backfill.images", 200, "images in the bucket before a backfill")

func archived(i int) string { return fmt.Sprintf("archive/%06d.jpg", i) }

// putArchive puts n small images, eight at a time.
func (s *system) putArchive(t testing.TB, n int) {
	var all sync.WaitGroup
	next := make(chan int)
	for range 8 {
		all.Go(func() {
			for i := range next {
				s.put(t, archived(i), "image/jpeg", plainJPEG(t, 120, 90, colourOf(i)))
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
}

// backfill is a running imageflow run.
type backfill struct {
	*exec.Cmd
	output *strings.Builder
}

// startBackfill starts imageflow run with an environment.
func startBackfill(t testing.TB, env []string, args ...string) *backfill {
	t.Helper()
	b := &backfill{exec.Command(filepath.Join(binaries, "imageflow"), append([]string{"run", "--prefix", "archive/"}, args...)...),
		&strings.Builder{}}
	b.Env = append(os.Environ(), env...)
	b.Stdout, b.Stderr = b.output, b.output
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	return b
}

// end waits for the end, after a signal if it is not 0, and returns the exit code and the output.
func (b *backfill) end(t testing.TB, signal syscall.Signal) (code int, output string) {
	t.Helper()
	if signal != 0 {
		if err := b.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
	}
	_ = b.Wait()
	return b.ProcessState.ExitCode(), b.output.String()
}

// TestBackfillOverKills: a backfill is killed, resumed, stopped and resumed again. All images are
// completed, and no step does its work for one twice.
func TestBackfillOverKills(t *testing.T) {
	n := *backfillImages
	d := deploy(t, setup{forgetful: true, env: []string{"SWEEP_INTERVAL=0"}})
	if err := d.s3.RemoveAllBucketNotification(t.Context(), bucket); err != nil {
		t.Fatal(err)
	}
	d.putArchive(t, n)
	d.command(t, "setup", "imageflow", "setup")
	env := append(d.environment("bridge"), "EVENT_SIGNING_KEYS="+signingKey)
	run := func(args ...string) *backfill { return startBackfill(t, env, args...) }
	if code, out := run("--dry-run").end(t, 0); code != 0 || !strings.Contains(out, fmt.Sprintf("%d uploads would be sent", n)) {
		t.Errorf("the dry run ends with %d: %s", code, out)
	}

	first := run("--in-flight", "4")
	d.awaitTag(t, archived(n/3), time.Now().Add(time.Hour))
	if code, out := run("--resume").end(t, 0); code == 0 || !strings.Contains(out, "another run works on this bucket") {
		t.Errorf("a second run ends with %d: %s", code, out)
	}
	first.end(t, syscall.SIGKILL)
	if code, out := run().end(t, 0); code == 0 || !strings.Contains(out, "imageflow run --bucket "+bucket+" --resume") {
		t.Errorf("a run beside the killed one ends with %d: %s", code, out)
	}
	second := run("--resume", "--in-flight", "4")
	d.awaitTag(t, archived(2*n/3), time.Now().Add(time.Hour))
	if code, out := second.end(t, syscall.SIGTERM); code == 0 || !strings.Contains(out, "stopped; continue with imageflow run") {
		t.Errorf("the stopped run ends with %d: %s", code, out)
	}
	if code, out := run("--resume", "--in-flight", "4").end(t, 0); code != 0 || !strings.Contains(out, " 0 failed, 0 without") {
		t.Errorf("the last run ends with %d: %s", code, out)
	}
	for i := range n {
		if got := d.tag(t, archived(i)); got != "completed" {
			t.Errorf("%s has the tag %q", archived(i), got)
		}
	}
	d.stopAll(t)
	d.checkDoneOnce(t, 3*n)
}

// checkDoneOnce checks, in the processors' logs, that the needed jobs did their work, each once.
func (d *deployment) checkDoneOnce(t testing.TB, needed int) {
	t.Helper()
	done, outcomes := map[string]int{}, map[string]int{}
	for _, name := range []string{"resize", "detect", "filter"} {
		for line := range strings.Lines(d.parts[name].output()) {
			var job struct{ Msg, Outcome, Step, Execution string }
			if json.Unmarshal([]byte(line), &job) == nil && job.Msg == "job" {
				outcomes[job.Outcome]++
				if job.Outcome == "done" {
					done[job.Step+" "+job.Execution]++
				}
			}
		}
	}
	t.Logf("jobs by outcome: %v", outcomes)
	if len(done) != needed || outcomes["done"] != needed {
		t.Errorf("%d jobs did the work of %d, want %d", outcomes["done"], len(done), needed)
	}
}

// The rounds of BenchmarkLiveBesideBackfill, and the images that it puts in half of a round, two
// a second.
const (
	liveRounds = 3
	liveImages = 60
)

// BenchmarkLiveBesideBackfill puts 1080p JPEGs into local mode, in turns without and with a
// backfill of small ones, and compares the times until they are completed. Run it with
// -benchtime=1x and at least 3,000 images.
func BenchmarkLiveBesideBackfill(b *testing.B) {
	s := archiveInLocalMode(b, b.TempDir())
	env := []string{"MINIO_ENDPOINT=" + s.addresses["s3"], "MINIO_ACCESS_KEY=" + accessKey, "MINIO_SECRET_KEY=" + secretKey,
		"BROKER_URL=" + s.url("broker", "/image-processing/default"), "EVENT_SIGNING_KEYS=" + strings.TrimSpace(s.key(b))}
	s.live(b, "warm", 5)
	var quiet, beside []time.Duration
	for round := range liveRounds {
		quiet = append(quiet, s.live(b, fmt.Sprintf("quiet-%d", round), liveImages)...)
		run := startBackfill(b, env, "--resume", "--prefix", "")
		began, before := time.Now(), s.completed(b)
		beside = append(beside, s.live(b, fmt.Sprintf("beside-%d", round), liveImages)...)
		rate := float64(s.completed(b)-before) / time.Since(began).Seconds()
		code, out := run.end(b, syscall.SIGTERM)
		if code == 0 {
			b.Fatalf("the archive is too small: %s", out)
		}
		b.Logf("round %d: p95 quiet %v, beside %v; the backfill made %.1f images/s", round,
			quantile(quiet[liveImages*round:], 95), quantile(beside[liveImages*round:], 95), rate)
	}
	b.ReportMetric(0, "ns/op")
	for _, q := range []int{50, 95} {
		before, after := quantile(quiet, q), quantile(beside, q)
		b.Logf("p%d: quiet %v, beside %v, ratio %.2f", q, before, after, after.Seconds()/before.Seconds())
	}
}

// archiveInLocalMode starts local mode with the archive in its bucket, which no Trigger has seen.
func archiveInLocalMode(b *testing.B, dir string) *system {
	b.Helper()
	eventing, data := filepath.Join(dir, "eventing"), filepath.Join(dir, "data")
	if err := os.Mkdir(eventing, 0o700); err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"broker.yaml", "examples/thumbnails.yaml"} { // the chain of other images
		text, err := os.ReadFile(filepath.Join("..", "..", "eventing", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(eventing, filepath.Base(name)), text, 0o600)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	env := []string{"SWEEP_INTERVAL=0"}
	before := local(b, setup{dir: data, env: env, flags: []string{"--eventing", eventing}})
	before.putArchive(b, *backfillImages)
	if err := before.stop(b); err != nil {
		b.Fatal(err)
	}
	return local(b, setup{dir: data, env: env})
}

// live puts n images, two a second, and returns the times until they are completed.
func (s *system) live(b *testing.B, name string, n int) []time.Duration {
	b.Helper()
	image, times := sample(b), make([]time.Duration, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			began, key := time.Now(), fmt.Sprintf("live/%s-%d.jpg", name, i)
			s.put(b, key, "image/jpeg", image)
			for s.tag(b, key) != "completed" && time.Since(began) < time.Minute {
				time.Sleep(5 * time.Millisecond)
			}
			times[i] = time.Since(began)
		})
		time.Sleep(500 * time.Millisecond)
	}
	all.Wait()
	return times
}

// completed counts the last outputs of the archive.
func (s *system) completed(b *testing.B) (n int) {
	b.Helper()
	for _, key := range s.keys(b, "archive/") {
		if strings.Contains(key, "_filter.") {
			n++
		}
	}
	return n
}

// quantile returns the time that a percentage of the times does not exceed.
func quantile(times []time.Duration, percent int) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[len(sorted)*percent/100].Round(time.Millisecond)
}
