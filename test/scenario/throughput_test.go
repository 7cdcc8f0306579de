package scenario

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// BenchmarkThroughput resizes 1080p JPEGs to 800×450 from bucket to bucket on a real MinIO, with
// enough calls at once to keep the cores busy. It reports the CPU time of each process per image.
// Run it with -benchtime=500x or more.
func BenchmarkThroughput(b *testing.B) {
	d := deploy(b, setup{forgetful: true, env: []string{"QUEUE_TIME=0"}}) // refuses no call
	d.place(b, "throughput.jpg", sample(b))
	pids := map[string]int{"minio": d.minio.PID(), "resize": d.pid("resize"), "caller": os.Getpid()}
	for _, q := range []imageflowv1.ResizeQuality{
		imageflowv1.ResizeQuality_RESIZE_QUALITY_GOOD, imageflowv1.ResizeQuality_RESIZE_QUALITY_FAST,
	} {
		call := d.resizing(b, "throughput.jpg", q)
		b.Run(strings.ToLower(strings.TrimPrefix(q.String(), "RESIZE_QUALITY_")), func(b *testing.B) {
			before, wall := spent(b, pids), time.Now()
			repeat(b, call)
			elapsed := time.Since(wall)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(b.N)/elapsed.Seconds(), "images/s")
			if b.N > 1 {
				fmt.Print(shares(before, spent(b, pids), elapsed, b.N))
			}
		})
	}
}

// repeat makes b.N calls, of which four per core run at once.
func repeat(b *testing.B, call work) {
	run, next := time.Now().UnixNano(), make(chan int)
	var all sync.WaitGroup
	for range 4 * runtime.NumCPU() {
		all.Go(func() {
			for i := range next {
				if _, err := call(b.Context(), fmt.Sprintf("throughput/%d-%d", run, i)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for i := range b.N {
		next <- i
	}
	close(next)
	all.Wait()
}

// spent returns the CPU time of processes and of the whole machine.
func spent(t testing.TB, pids map[string]int) map[string]time.Duration {
	t.Helper()
	all := map[string]time.Duration{"machine": machineCPU(t)}
	for name, pid := range pids {
		all[name] = cpu(t, pid)
	}
	return all
}

// shares returns a table of the CPU time of each process for n images.
func shares(before, after map[string]time.Duration, elapsed time.Duration, n int) string {
	used := map[string]time.Duration{}
	for name := range before {
		used[name] = after[name] - before[name]
	}
	machine := used["machine"]
	delete(used, "machine")
	var ours time.Duration
	for _, d := range used {
		ours += d
	}
	used["others"] = machine - ours
	cores := float64(elapsed) * float64(runtime.NumCPU())
	var out strings.Builder
	fmt.Fprintf(&out, "\n%-8s %13s %8s of %d cores\n", "", "CPU-ms/image", "share", runtime.NumCPU())
	for _, name := range slices.Sorted(maps.Keys(used)) {
		fmt.Fprintf(&out, "%-8s %13.1f %7.0f%%\n", name, milliseconds(used[name])/float64(n), 100*float64(used[name])/cores)
	}
	fmt.Fprintf(&out, "without the others' share of the cores: %.0f images/s\n", float64(n)*float64(runtime.NumCPU())/ours.Seconds())
	return out.String()
}
