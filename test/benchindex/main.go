// Command benchindex measures what a bucket's size costs the read side: it fills a real MinIO with
// objects of finished executions, runs the bridge and the gateway of a build beside it, and prints
// the requests, CPU and memory of the sweeper and the time of lookups, for each size. As root, it gives the
// bridge a cgroup of 64 MiB.
//
//	go -C test run ./benchindex -imageflow ../bin/imageflow -objects 10000,1000000
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"imageflow.dev/internal/testing/cgroup"
	"imageflow.dev/test/proc"
)

type settings struct {
	imageflow, dir string
	folder, calls  int
	index          int
	watchers       int
	watch          time.Duration
}

func main() {
	var s settings
	sizes := flag.String("objects", "10000", "sizes of the bucket in objects, comma-separated")
	flag.StringVar(&s.imageflow, "imageflow", "../bin/imageflow", "the binary to measure")
	flag.StringVar(&s.dir, "dir", os.TempDir(), "folder for MinIO's data; an object takes 8 KiB on ext4")
	flag.IntVar(&s.folder, "folder", 1000, "objects in a folder; 0: all in one")
	flag.IntVar(&s.index, "index", 0, "executions in the index; 0: one for each four objects, at most 100,000")
	flag.IntVar(&s.calls, "calls", 100, "calls of each lookup")
	flag.IntVar(&s.watchers, "watchers", 0, "watchers of executions, for a minute; 0: none")
	flag.DurationVar(&s.watch, "watch", 3*time.Minute, "time for which the bridge is watched")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	for text := range strings.SplitSeq(*sizes, ",") {
		n, err := strconv.Atoi(text)
		if err == nil {
			err = measure(ctx, s, n)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// measure fills a store of its own with n objects, prints a report, and removes the store.
func measure(ctx context.Context, s settings, n int) error {
	dir, err := os.MkdirTemp(s.dir, "benchindex-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	procs := &processes{dir: dir}
	defer procs.stop()
	st, err := startStore(ctx, procs)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := st.fill(ctx, filepath.Join(dir, "data", files), n, s.folder); err != nil {
		return err
	}
	if err := st.fillIndex(ctx, cmp.Or(s.index, min(n/4, 100_000))); err != nil {
		return err
	}
	fmt.Printf("%d objects, filled in %v\n", n, time.Since(began).Round(time.Second))
	if err := sweeps(procs, s, st); err != nil {
		return err
	}
	if err := lookups(ctx, procs, s, st); err != nil || s.watchers == 0 {
		return err
	}
	return watches(ctx, procs, s, st)
}

// sweeps runs a bridge and prints what it and MinIO used while it was watched.
func sweeps(procs *processes, s settings, st *store) error {
	cmd := exec.Command(s.imageflow, "bridge")
	group, err := cgroup.New(maxBridgeMemory)
	if err == nil {
		cmd = group.Command(s.imageflow, "bridge")
		defer func() { _ = group.Close() }() // a kernel that is slow to notice keeps an empty group
	} else {
		fmt.Printf("  bridge without a limit of memory: %v\n", err)
	}
	bridge, err := procs.start("bridge", cmd, append(st.env(), "PORT="+port(), "METRICS_PORT=0",
		"BROKER_URL=http://127.0.0.1:1", "BRIDGE_TOKEN=the-bridge-token", "SWEEP_GRACE=2s", "ALLOW_UNSIGNED_EVENTS=true",
		"GOGC=100", "GOMEMLIMIT=200MiB")...)
	if err != nil {
		return err
	}
	defer bridge.stop()
	time.Sleep(time.Second)
	half := s.watch / 2
	for _, part := range []string{"with the start", "after it"} {
		before, err := take(bridge, st)
		if err != nil {
			return err
		}
		time.Sleep(half)
		after, err := take(bridge, st)
		if err != nil {
			return err
		}
		fmt.Printf("  bridge, %v %-14s  CPU %5.2f %% of a core, MinIO %5.2f %%; requests: %s; RSS %d MB, peak %d MB, anonymous %d MB\n",
			half, part, share(after.bridge-before.bridge, half), share(after.store-before.store, half),
			after.requests.minus(before.requests), after.memory.Resident>>20, after.memory.Peak>>20,
			after.memory.Anonymous>>20)
	}
	return report(group)
}

// maxBridgeMemory is the limit of the memory of the bridge, with the pages of its files that no other process has read.
const maxBridgeMemory = 64 << 20

// report prints whether the bridge lived within the limit of its memory.
func report(group *cgroup.Group) error {
	if group == nil {
		return nil
	}
	peak, err := group.Peak()
	kills, err2 := group.Kills()
	fmt.Printf("  bridge, cgroup of %d MB: peak %d MB, killed %d times\n", maxBridgeMemory>>20, peak>>20, kills)
	return errors.Join(err, err2)
}

func share(used, of time.Duration) float64 { return 100 * used.Seconds() / of.Seconds() }

// sample is what the processes have used so far.
type sample struct {
	bridge, store time.Duration
	requests      counts
	memory        proc.Memory
}

func take(bridge *process, st *store) (s sample, err error) {
	if s.bridge, err = bridge.cpu(); err != nil {
		return s, err
	}
	if s.store, err = st.process.cpu(); err != nil {
		return s, err
	}
	s.memory = bridge.memory()
	s.requests, err = st.requests()
	return s, err
}
