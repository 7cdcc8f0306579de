package scenario

import (
	"encoding/json"
	"flag"
	"fmt"
	"image"
	"image/color"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// The size of the crash test. `make crash` sets larger values.
var (
	crashImages = flag.Int("crash.images", 30, "images that are put")
	crashKills  = flag.Int("crash.kills", 1, "how often each part is killed")
)

// TestNothingIsLostOverKills puts images at full speed while every part except the store is killed
// at random, repeatedly.
func TestNothingIsLostOverKills(t *testing.T) {
	deploy(t, setup{}).losesNothing(t)
}

// losesNothing puts images and kills the parts of the chain, and the others named.
func (d *deployment) losesNothing(t *testing.T, others ...string) {
	began := time.Now()
	var putting sync.WaitGroup
	putting.Go(func() { d.putColours(t, *crashImages) })
	kills := d.killAtRandom(t, *crashKills, others...)
	putting.Wait()
	d.awaitCompleted(t, *crashImages)
	t.Logf("%d executions completed in %v over %d kills", *crashImages, time.Since(began).Round(time.Second), kills)

	d.checkColours(t, *crashImages)
	d.stopAll(t)
	d.countWork(t, 3*(*crashImages))
}

// oneTrigger runs the chain's steps as a pipeline for every upload.
const oneTrigger = `
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: pipeline, namespace: image-processing}
spec:
  broker: default
  filters: [{prefix: {type: "com.amazonaws.s3.ObjectCreated:"}}]
  subscriber: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: grpc-gateway}, uri: "/?pipeline=photo"}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: completed, namespace: image-processing}
spec:
  broker: default
  filters: [{exact: {type: dev.imageflow.filter.completed.v1}}]
  subscriber: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: bridge}, uri: /completed}
---
`

// TestPipelineTriggerLosesNothingOverKills is TestNothingIsLostOverKills with one Trigger for the whole chain.
func TestPipelineTriggerLosesNothingOverKills(t *testing.T) {
	broker, err := os.ReadFile(filepath.Join("..", "..", "eventing", "broker.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	eventing := t.TempDir()
	if err := os.WriteFile(filepath.Join(eventing, "eventing.yaml"), append([]byte(oneTrigger), broker...), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"PRESETS_FILE=config/components/presets/presets.yaml"}
	d := deploy(t, setup{env: env, flags: []string{"--eventing", eventing}})
	d.losesNothing(t, "gateway")
}

// colourOf returns the i-th of many colours, which stay distinguishable after JPEG compression.
func colourOf(i int) color.RGBA {
	return color.RGBA{uint8(20 + 24*(i%10)), uint8(20 + 24*(i/10%10)), uint8(20 + 40*(i/100%6)), 255}
}

func keyOf(i int) string { return fmt.Sprintf("crash/%04d.jpg", i) }

// putColours puts one image of each colour, eight at a time.
func (s *system) putColours(t testing.TB, n int) {
	var all sync.WaitGroup
	next := make(chan int)
	for range 8 {
		all.Go(func() {
			for i := range next {
				s.put(t, keyOf(i), "image/jpeg", plainJPEG(t, 1000, 800, colourOf(i)))
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
}

// killAtRandom kills each part of the chain, and the others named, this many times, in random order and at random
// times.
func (d *deployment) killAtRandom(t testing.TB, each int, others ...string) int {
	var order []*part
	for _, name := range append([]string{"bridge", "broker", "resize", "detect", "filter"}, others...) {
		for range each {
			order = append(order, d.parts[name])
		}
	}
	rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	for _, p := range order {
		time.Sleep(rand.N(time.Second))
		p.restart(t)
		t.Logf("killed %s", p.name)
	}
	return len(order)
}

// awaitCompleted waits until the last of n executions is tagged as completed.
func (s *system) awaitCompleted(t testing.TB, n int) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Minute)
	for i := range n {
		s.awaitTag(t, keyOf(i), deadline)
	}
}

// awaitTag waits until an upload is tagged as completed.
func (s *system) awaitTag(t testing.TB, key string, deadline time.Time) {
	t.Helper()
	for s.tag(t, key) != "completed" {
		if time.Now().After(deadline) {
			t.Fatalf("%s has the tag %q", key, s.tag(t, key))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// checkColours checks the outputs of n images, and that there are no other objects.
func (s *system) checkColours(t testing.TB, n int) {
	t.Helper()
	for i := range n {
		s.checkColour(t, i)
	}
	if got, want := len(s.keys(t, "")), 6*n; got != want {
		t.Errorf("%d objects, want %d: each image, its three outputs and two side-cars", got, want)
	}
}

// checkColour checks that the outputs of the i-th image have its colour.
func (s *system) checkColour(t testing.TB, i int) {
	execution := strings.TrimSuffix(keyOf(i), ".jpg")
	for _, step := range []string{"resize", "ai-detection", "filter"} {
		m := s.decode(t, execution+"_"+step+".jpg")
		if size := m.Bounds().Size(); size != (image.Point{750, 600}) {
			t.Errorf("%s of %s is %v", step, execution, size)
		}
		if got, want := color.RGBAModel.Convert(m.At(5, 5)).(color.RGBA), colourOf(i); distance(got, want) > 8 {
			t.Errorf("%s of %s is %v, want %v", step, execution, got, want)
		}
	}
	for _, sideCar := range []string{"_resize.json", "_ai-detection.json"} {
		if !json.Valid(s.get(t, execution+sideCar)) {
			t.Errorf("the side-car %s%s is no JSON", execution, sideCar)
		}
	}
}

// distance returns the largest difference of a channel.
func distance(a, b color.RGBA) int {
	abs := func(x, y uint8) int { return max(int(x)-int(y), int(y)-int(x)) }
	return max(abs(a.R, b.R), abs(a.G, b.G), abs(a.B, b.B))
}

// countWork counts, in the processors' logs, the jobs that did their work and those that found it
// done. A killed job has no log line.
func (d *deployment) countWork(t testing.TB, needed int) {
	outcomes, done := map[string]int{}, map[string]int{}
	for _, name := range []string{"resize", "detect", "filter"} {
		for line := range strings.Lines(d.parts[name].output()) {
			var job struct{ Msg, Outcome, Step, Execution string }
			if json.Unmarshal([]byte(line), &job) != nil || job.Msg != "job" {
				continue
			}
			outcomes[job.Outcome]++
			if job.Outcome == "done" {
				done[job.Step+" "+job.Execution]++
			}
		}
	}
	t.Logf("%d steps needed; jobs by outcome: %v; done more than once: %d", needed, outcomes, outcomes["done"]-len(done))
}
