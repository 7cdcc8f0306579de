package scenario

import (
	"flag"
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// soakRequests is how long the soak is; `make soak` asks for more.
var soakRequests = flag.Int("soak", 40, "requests that TestSoak makes; growth is judged from 3000 on")

// soakJudged is how many requests tell of growth.
const soakJudged = 3000

// soakEnvironment is what the images set, and config/base.
var soakEnvironment = []string{"VIPS_CONCURRENCY=1", "MALLOC_ARENA_MAX=2", "VIPS_DISC_THRESHOLD=1g", "VIPS_WARNING=1", "GOMEMLIMIT=1GiB"}

// TestSoak makes mixed requests of the three processors, and looks after every
// thousand, while they rest, at what they hold.
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
		time.Sleep(soakRest(done))
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

// soakRest is how long the processes rest before they are looked at: for what they
// close after an answer, and where growth is judged by it, until Go has collected
// what is left, which it does every two minutes without work.
func soakRest(done int) time.Duration {
	if *soakRequests >= soakJudged && (done == 2000 || done >= *soakRequests) {
		return 130 * time.Second
	}
	return 2 * time.Second
}

// footprint is what a process holds: resident memory in KiB, now and at its
// most, threads and goroutines.
type footprint struct{ rss, most, threads, goroutines int }

// String returns it in MiB.
func (f footprint) String() string {
	return fmt.Sprintf("RSS %d MiB, at most %d MiB, %d threads, %d goroutines", f.rss>>10, f.most>>10, f.threads, f.goroutines)
}

var goroutines = regexp.MustCompile(`(?m)^go_goroutines (\d+)`)

func (d *deployment) footprint(t testing.TB, name string) footprint {
	t.Helper()
	pid := d.pid(name)
	found := goroutines.FindStringSubmatch(d.scrape(t, name+" metrics"))
	if found == nil {
		t.Fatalf("the metrics of %s tell no goroutines", name)
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return footprint{statusOf(t, pid, "VmRSS"), statusOf(t, pid, "VmHWM"), statusOf(t, pid, "Threads"), n}
}

// judge compares it with what the process held once it was warm. Idle connections
// and threads come and go: a few more are no growth.
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
