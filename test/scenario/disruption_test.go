package scenario

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// disruptions are actions of an operator, and the loss of a node.
var disruptions = []struct {
	name    string
	kubectl []string
}{
	{
		"delete resize's pods",
		[]string{
			"delete", "pod", "--namespace", namespace, "--wait=false",
			"--selector", "serving.knative.dev/service=resize-grpc-service",
		},
	},
	{
		"delete detect's pods",
		[]string{
			"delete", "pod", "--namespace", namespace, "--wait=false",
			"--selector", "serving.knative.dev/service=ai-detection-grpc-service",
		},
	},
	{
		"delete filter's pods",
		[]string{
			"delete", "pod", "--namespace", namespace, "--wait=false",
			"--selector", "serving.knative.dev/service=filter-grpc-service",
		},
	},
	{
		"restart the bridge",
		[]string{"delete", "pod", "--namespace", namespace, "--selector", "serving.knative.dev/service=bridge", "--wait=false"},
	},
	{
		"restart the broker's ingress",
		[]string{"rollout", "restart", "--namespace", "knative-eventing", "deployment/mt-broker-ingress"},
	},
	{
		"restart the broker's filter",
		[]string{"rollout", "restart", "--namespace", "knative-eventing", "deployment/mt-broker-filter"},
	},
	{"restart MinIO", []string{"rollout", "restart", "--namespace", "default", "deployment/minio"}},
	{
		"roll out a new revision of resize",
		[]string{
			"patch", "ksvc", "--namespace", namespace, "resize-grpc-service", "--type", "merge", "--patch",
			`{"spec":{"template":{"metadata":{"annotations":{"imageflow.dev/rolled-out":"` +
				time.Now().UTC().Format(time.RFC3339) + `"}}}}}`,
		},
	},
}

// TestOnClusterLosesNothing puts five images a second while parts are disrupted,
// one after the other.
func TestOnClusterLosesNothing(t *testing.T) {
	needsCluster(t)
	s := cluster(t)
	stop := s.putSteadily(t)
	for _, d := range disruptions {
		time.Sleep(2 * time.Second)
		kubectl(t, d.kubectl...)
		time.Sleep(8 * time.Second)
		t.Logf("%s: %d images are put", d.name, len(s.keys(t, "crash/"))/6)
	}
	s.checkNothingLost(t, stop())
}

// TestOnClusterBrokerLosesEvents puts five images a second for two minutes, while every 20 s all pods of Knative's in-memory
// broker are killed, and with them the events that they hold. The sweeper sends these uploads again.
func TestOnClusterBrokerLosesEvents(t *testing.T) {
	needsCluster(t)
	s := cluster(t)
	stop := s.putSteadily(t)
	for range 6 {
		time.Sleep(20 * time.Second)
		for _, selector := range []string{
			"messaging.knative.dev/channel=in-memory-channel,messaging.knative.dev/role=dispatcher",
			"eventing.knative.dev/brokerRole=ingress", "eventing.knative.dev/brokerRole=filter",
		} {
			out := kubectl(t, "delete", "pod", "--namespace", "knative-eventing", "--selector", selector, "--grace-period=0", "--force")
			if !strings.Contains(out, "deleted") {
				t.Errorf("no pod with %s: %s", selector, out)
			}
		}
	}
	s.checkNothingLost(t, stop())
}

// putSteadily puts five images a second until stop, which returns their number.
func (s *system) putSteadily(t *testing.T) (stop func() int) {
	stopped := make(chan struct{})
	var putting sync.WaitGroup
	images := 0
	putting.Go(func() {
		for tick := time.NewTicker(200 * time.Millisecond); ; {
			select {
			case <-stopped:
				tick.Stop()
				return
			case <-tick.C:
				i := images
				putting.Go(func() { s.put(t, keyOf(i), "image/jpeg", plainJPEG(t, 1000, 800, colourOf(i))) })
				images++
			}
		}
	})
	return func() int {
		close(stopped)
		putting.Wait()
		return images
	}
}

// checkNothingLost waits until all images are completed, with the right outputs.
func (s *system) checkNothingLost(t *testing.T, images int) {
	began := time.Now()
	t.Logf("%d of %d images have all their objects", len(s.keys(t, "crash/"))/6, images)
	s.awaitCompleted(t, images)
	t.Logf("%d images completed, the last %v after it was put", images, time.Since(began).Round(time.Second))
	s.checkColours(t, images)
	if letters := len(s.deadLetterKeys(t)); letters > 0 {
		t.Logf("%d dead letters of chains that were completed later", letters)
	}
}
