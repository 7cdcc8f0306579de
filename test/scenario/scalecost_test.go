package scenario

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// usage is the CPU time in seconds that a part had used at a time.
type usage struct {
	at   time.Time
	used float64
}

// partUsage returns the usage of each container of the nodes, as the kubelets report it. A part is a container of a
// workload; pods of one workload are separate.
func partUsage(t testing.TB) map[string]usage {
	t.Helper()
	all := map[string]usage{}
	for node := range strings.FieldsSeq(kubectl(t, "get", "nodes", "-o", "jsonpath={.items[*].metadata.name}")) {
		var summary struct {
			Pods []struct {
				PodRef     struct{ Name string }
				Containers []struct {
					Name string
					CPU  struct {
						Time                 time.Time
						UsageCoreNanoSeconds float64
					}
				}
			}
		}
		text := kubectl(t, "get", "--raw", "/api/v1/nodes/"+node+"/proxy/stats/summary")
		if err := json.Unmarshal([]byte(text), &summary); err != nil {
			t.Fatal(err)
		}
		for _, pod := range summary.Pods {
			for _, c := range pod.Containers {
				all[pod.PodRef.Name+"/"+c.Name] = usage{c.CPU.Time, c.CPU.UsageCoreNanoSeconds / 1e9}
			}
		}
	}
	return all
}

// podSuffix matches what Kubernetes adds to the name of a Deployment for its pods.
var podSuffix = regexp.MustCompile(`(-\d{5}-deployment)?-[a-z0-9]+-[a-z0-9]{5}/`)

// cores returns the average number of cores that each part used between two readings, those of all its pods together.
func cores(before, after map[string]usage) map[string]float64 {
	used := map[string]float64{}
	for name, a := range after {
		if b, ok := before[name]; ok && a.at.After(b.at) {
			used[podSuffix.ReplaceAllString(name, "/")] += (a.used - b.used) / a.at.Sub(b.at).Seconds()
		}
	}
	return used
}

// TestScaleCosts measures the CPU time per image of each part on the way to the stand-in, for calls and for uploads.
// docs/SCALING.md uses it. `make scale` runs it.
func TestScaleCosts(t *testing.T) {
	needsStandin(t)
	s := cluster(t)
	deployStandin(t, scaled{min: 4, max: 4, activator: true})
	idle := coresFor(t, func(context.Context) {})
	var got *calls
	calling := coresFor(t, func(ctx context.Context) { got = callUntil(ctx, t, routes[0], 4*perPod, 0) })
	reportCosts(t, "calls", calling, idle, got.rate())

	prefix := fmt.Sprintf("cards/standin/%d/", time.Now().Unix())
	sendUploads(t, prefix)
	const interval = 100 * time.Millisecond
	uploads := 0
	putting := coresFor(t, func(ctx context.Context) { uploads = s.putEvery(ctx, t, prefix, interval) })
	reportCosts(t, "uploads", putting, idle, float64(time.Second/interval))
	for i := range uploads {
		s.awaitTag(t, fmt.Sprint(prefix, i, ".jpg"), time.Now().Add(2*time.Minute))
	}
}

// coresFor runs a load for a minute and returns the cores that each part used in its middle. The kubelets' readings may
// be 20 s old.
func coresFor(t testing.TB, load func(context.Context)) map[string]float64 {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var running sync.WaitGroup
	running.Go(func() { load(ctx) })
	time.Sleep(25 * time.Second)
	before := partUsage(t)
	time.Sleep(35 * time.Second)
	after := partUsage(t)
	stop()
	running.Wait()
	return cores(before, after)
}

// reportCosts logs the CPU time per image of each part, beyond its use at rest, from the largest, with the rate at which
// it would use one core.
func reportCosts(t testing.TB, name string, used, idle map[string]float64, rate float64) {
	t.Helper()
	costs := map[string]float64{}
	for part, n := range used {
		costs[part] = 1000 * (n - idle[part]) / rate
	}
	if len(costs) == 0 {
		t.Error("the kubelets report no CPU times")
	}
	parts := slices.SortedFunc(maps.Keys(costs), func(a, b string) int { return int(1000 * (costs[b] - costs[a])) })
	t.Logf("%s, %.1f images/s", name, rate)
	for _, part := range parts {
		if costs[part] > 0.05 {
			t.Logf("%-50s %6.2f CPU-ms an image, %6.0f images/s with a core", part, costs[part], 1000/costs[part])
		}
	}
}
