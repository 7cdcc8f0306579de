package scenario

import (
	"flag"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// soakRequests is the length of the soak. `make soak` sets a larger value.
var soakRequests = flag.Int("soak", 40, "requests that TestSoak makes; growth is judged from 3000 on")

// soakJudged is the number of requests from which on growth is judged.
const soakJudged = 3000

// soakEnvironment has the variables that the images and config/base set.
var soakEnvironment = []string{
	"VIPS_CONCURRENCY=1", "MALLOC_ARENA_MAX=2", "MALLOC_MMAP_THRESHOLD_=1048576", "MALLOC_TRIM_THRESHOLD_=16777216",
	"VIPS_DISC_THRESHOLD=1g", "VIPS_WARNING=1", "GOGC=400", "GOMEMLIMIT=1GiB",
}

// TestSoak sends mixed requests to the three processors. After every thousand it lets them rest and
// measures their memory.
func TestSoak(t *testing.T) {
	d := deploy(t, setup{env: soakEnvironment, forgetful: true})
	m := newMix(t, d)
	each := min(1000, *soakRequests)
	var rounds []map[string]footprint
	for done := 0; done < *soakRequests && !t.Failed(); {
		began := time.Now()
		m.run(t, each)
		done += each
		t.Logf("%5d requests, %.1f a second; %s", done, float64(each)/time.Since(began).Seconds(), m)
		if *soakRequests >= soakJudged {
			time.Sleep(soakRest)
		}
		now := map[string]footprint{}
		for _, name := range []string{"resize", "detect", "filter"} {
			now[name] = d.footprint(t, name)
			t.Logf("%14s: %v", name, now[name])
		}
		rounds = append(rounds, now)
	}
	if *soakRequests < soakJudged || t.Failed() {
		return
	}
	for name, last := range rounds[len(rounds)-1] {
		last.judge(t, name, rounds[1][name])
	}
}

// soakRest is how long the processes rest before they are measured: until imaging has
// returned their free memory to the operating system.
const soakRest = 15 * time.Second

// footprint is the resident memory of a process in KiB, now and at its peak, the part of it
// in Go's heap, and the numbers of threads and goroutines.
type footprint struct{ rss, most, heap, threads, goroutines int }

// String returns the footprint in MiB.
func (f footprint) String() string {
	return fmt.Sprintf("RSS %d MiB (Go's heap %d), at most %d MiB, %d threads, %d goroutines",
		f.rss>>10, f.heap>>10, f.most>>10, f.threads, f.goroutines)
}

func (d *deployment) footprint(t testing.TB, name string) footprint {
	t.Helper()
	pid, metrics := d.pid(name), d.scrape(t, name+" metrics")
	heap := gauge(t, metrics, "go_memstats_heap_sys_bytes") - gauge(t, metrics, "go_memstats_heap_released_bytes")
	return footprint{
		statusOf(t, pid, "VmRSS"), statusOf(t, pid, "VmHWM"), int(heap) >> 10,
		statusOf(t, pid, "Threads"), int(gauge(t, metrics, "go_goroutines")),
	}
}

// gauge returns the value of a metric without labels.
func gauge(t testing.TB, metrics, name string) float64 {
	t.Helper()
	_, after, _ := strings.Cut(metrics, "\n"+name+" ")
	text, _, _ := strings.Cut(after, "\n")
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatalf("the metric %s: %v", name, err)
	}
	return v
}

// judge compares the footprint with that of the warm process. It tolerates a few more threads and
// idle connections.
func (f footprint) judge(t testing.TB, name string, warm footprint) {
	t.Helper()
	if 10*f.rss > 11*warm.rss {
		t.Errorf("%s grew from %v to %v", name, warm, f)
	}
	if f.most >= 1<<20 {
		t.Errorf("%s once held %d MiB, want less than 1 GiB", name, f.most>>10)
	}
	if f.threads > warm.threads+2 || f.goroutines > warm.goroutines+8 {
		t.Errorf("%s has %v, and had %v", name, f, warm)
	}
}
