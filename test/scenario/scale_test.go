package scenario

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// perPod is the number of callers for each pod of the stand-in: a pod takes two images at a time, one for each core.
const perPod = 4

// route is a way to the pods of the stand-in.
type route struct {
	name, address string
	activator     bool
	options       []grpc.DialOption
	spreads       bool // over all pods
}

// routes are the ways that config/README.md describes.
var routes = []route{
	{name: "ingress, activator", address: standin + "." + namespace + ".svc.cluster.local:80", activator: true, spreads: true},
	{name: "ingress", address: standin + "." + namespace + ".svc.cluster.local:80"},
	{
		name: "pods", address: "dns:///standin-pods." + namespace + ".svc.cluster.local:8013", spreads: true,
		options: []grpc.DialOption{grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}]}`)},
	},
}

// TestScaleOut measures the images per second of one, two and four pods that take 100 ms for each of two images at a
// time, so 20 images/s a pod, on each way to them. `make scale` runs it.
func TestScaleOut(t *testing.T) {
	needsStandin(t)
	for _, activator := range []bool{true, false} {
		one := map[string]float64{}
		for _, pods := range []int{1, 2, 4} {
			deployStandin(t, scaled{min: pods, max: pods, activator: activator})
			for _, r := range routes {
				if r.activator != activator {
					continue
				}
				rate := measureRate(t, r, pods)
				if pods == 1 {
					one[r.name] = rate
				} else if least := 0.75 * float64(pods) * one[r.name]; r.spreads && rate < least {
					t.Errorf("%s: %d pods make %.1f images/s, want %.1f: 0.75 of %d times the rate of one", r.name, pods, rate, least, pods)
				}
			}
		}
	}
}

// measureRate calls the stand-in for 5 s, until the ways to the pods are known, and then measures for 10 s.
func measureRate(t *testing.T, r route, pods int) float64 {
	t.Helper()
	callStandins(t, r, perPod*pods, 5*time.Second)
	got := callStandins(t, r, perPod*pods, 10*time.Second)
	got.succeed(t, r.name)
	t.Logf("%-18s %d pods: %5.1f images/s, answered by %v", r.name, pods, got.rate(), got.byPod)
	if r.spreads && len(got.byPod) != pods {
		t.Errorf("%s: %d of %d pods answered", r.name, len(got.byPod), pods)
	}
	return got.rate()
}

// calls are the results of calls to the stand-in.
type calls struct {
	sync.Mutex
	byPod    map[string]int
	failures []error
	took     time.Duration
}

func (c *calls) rate() float64 {
	n := 0
	for _, count := range c.byPod {
		n += count
	}
	return float64(n) / c.took.Seconds()
}

// succeed checks that no call failed.
func (c *calls) succeed(t testing.TB, what string) {
	t.Helper()
	if n := len(c.failures); n > 0 {
		t.Errorf("%s: %d calls failed, the first with %v", what, n, c.failures[0])
	}
}

// callStandins calls the stand-in for a time, with a connection for each caller. It does not retry.
func callStandins(t testing.TB, r route, callers int, length time.Duration) *calls {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	return callUntil(ctx, t, r, callers, 0)
}

// callUntil is callStandins until the context ends, with pauses between the calls of a caller.
func callUntil(ctx context.Context, t testing.TB, r route, callers int, pause time.Duration) *calls {
	t.Helper()
	img := jpegOf(t, 320, 240)
	result, began := &calls{byPod: map[string]int{}}, time.Now()
	var all sync.WaitGroup
	for range callers {
		client := imageflowv1.NewFilterServiceClient(dial(t, r.address, r.options...))
		all.Go(func() {
			for ctx.Err() == nil {
				result.add(callStandin(client, img))
				time.Sleep(pause)
			}
		})
	}
	all.Wait()
	result.took = time.Since(began)
	return result
}

// callStandin makes one call, with the bytes of an image, and returns the name of the pod that answers.
func callStandin(client imageflowv1.FilterServiceClient, img []byte) (pod string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	r, err := client.ApplyFilter(ctx, &imageflowv1.FilterRequest{
		InputBytes: img, FilterType: imageflowv1.FilterType_FILTER_TYPE_BLUR, ExecutionId: fmt.Sprint("scale/", time.Now().UnixNano()),
	})
	return r.GetMetadata().GetAppliedParameters()["pod"], err
}

func (c *calls) add(pod string, err error) {
	c.Lock()
	defer c.Unlock()
	if err != nil {
		c.failures = append(c.failures, err)
		return
	}
	c.byPod[pod]++
}
