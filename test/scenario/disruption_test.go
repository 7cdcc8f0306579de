package scenario

import (
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
	if !*onCluster {
		t.Skip("needs a cluster: make e2e")
	}
	s := cluster(t)
	stop := make(chan struct{})
	var putting sync.WaitGroup
	images := 0
	putting.Go(func() {
		for tick := time.NewTicker(200 * time.Millisecond); ; {
			select {
			case <-stop:
				tick.Stop()
				return
			case <-tick.C:
				i := images
				putting.Go(func() { s.put(t, keyOf(i), "image/jpeg", plainJPEG(t, 1000, 800, colourOf(i))) })
				images++
			}
		}
	})
	for _, d := range disruptions {
		time.Sleep(2 * time.Second)
		kubectl(t, d.kubectl...)
		time.Sleep(8 * time.Second)
		t.Logf("%s: %d images are put", d.name, len(s.keys(t, "crash/"))/6)
	}
	close(stop)
	putting.Wait()
	began := time.Now()
	s.awaitCompleted(t, images)
	t.Logf("%d images completed, the last %v after it was put", images, time.Since(began).Round(time.Second))
	s.checkColours(t, images)
	if letters := len(s.deadLetterKeys(t)); letters > 0 {
		t.Logf("%d dead letters of chains that were completed later", letters)
	}
}
