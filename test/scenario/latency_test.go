package scenario

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
)

// BenchmarkChain puts 1080p JPEGs at a constant rate. It measures the time until the last output is
// stored, and the part of it outside the steps. Run it with -benchtime=50x or more.
func BenchmarkChain(b *testing.B) {
	img, err := os.ReadFile(filepath.Join("..", "images", "sample.jpg"))
	if err != nil {
		b.Fatal(err)
	}
	systems := []struct {
		name  string
		start func(setup) *system
	}{
		{"local", func(c setup) *system { return local(b, c) }},
		{"minio", func(c setup) *system { c.forgetful = true; return &deploy(b, c).system }},
	}
	for _, kind := range systems {
		m := newMeter(b)
		s := kind.start(setup{flags: []string{"--eventing", "eventing", "--eventing", m.manifests}})
		for _, rate := range []int{1, 10} {
			b.Run(fmt.Sprintf("%s/rate=%d", kind.name, rate), func(b *testing.B) {
				measure(b, s, m, img, rate)
			})
		}
	}
}

func measure(b *testing.B, s *system, m *meter, img []byte, rate int) {
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	var all sync.WaitGroup
	run := time.Now().UnixNano()
	puts := make([]put, b.N)
	for i := range puts {
		execution := fmt.Sprintf("bench/%d-%d", run, i)
		all.Go(func() {
			puts[i].began = time.Now()
			s.put(b, execution+".jpg", "image/jpeg", img)
			puts[i].stored = time.Now()
			puts[i].steps = m.await(b, execution)
		})
		<-tick.C
	}
	all.Wait()
	var total, own, beyond, beyondPut []float64
	for _, p := range puts {
		last := p.steps["filter"].ProcessedAt
		var sum float64
		for _, step := range p.steps {
			sum += 1000 * step.Seconds
		}
		total = append(total, milliseconds(last.Sub(p.began)))
		own = append(own, sum)
		beyond = append(beyond, milliseconds(last.Sub(p.began))-sum)
		beyondPut = append(beyondPut, milliseconds(last.Sub(p.stored))-sum)
	}
	report := func(name string, values []float64) {
		slices.Sort(values)
		b.ReportMetric(values[len(values)/2], name+"-p50-ms")
		b.ReportMetric(values[len(values)*95/100], name+"-p95-ms")
	}
	b.ReportMetric(0, "ns/op")
	report("total", total)
	report("steps", own)
	report("beyond", beyond)
	report("beyond-put", beyondPut)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// put has the times of one image.
type put struct {
	began, stored time.Time
	steps         map[string]result
}

// result is the part of a step's event that is measured.
type result struct {
	ProcessedAt time.Time `json:"processed_at"`
	Seconds     float64   `json:"processing_time_seconds"`
	Metadata    map[string]string
}

// meter is a subscriber to every step's event.
type meter struct {
	manifests string // the folder of its Trigger

	mu    sync.Mutex
	steps map[string]map[string]result // by execution and step
}

const meterTrigger = `
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: meter, namespace: image-processing}
spec:
  broker: default
  filters: [{prefix: {type: dev.imageflow.}}, {not: {prefix: {type: dev.imageflow.execution.}}}]
  subscriber: {uri: %s}
`

func newMeter(b testing.TB) *meter {
	m := &meter{manifests: b.TempDir(), steps: map[string]map[string]result{}}
	server := httptest.NewServer(m)
	b.Cleanup(server.Close)
	trigger := fmt.Appendf(nil, meterTrigger, server.URL)
	if err := os.WriteFile(filepath.Join(m.manifests, "meter.yaml"), trigger, 0o644); err != nil {
		b.Fatal(err)
	}
	return m
}

func (m *meter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, err := cehttp.NewEventFromHTTPRequest(r)
	var data struct{ Result result }
	if err == nil {
		err = e.DataAs(&data)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.steps[e.Subject()] == nil {
		m.steps[e.Subject()] = map[string]result{}
	}
	m.steps[e.Subject()][filepath.Base(e.Source())] = data.Result
	w.WriteHeader(http.StatusAccepted)
}

// await waits for the three steps of an execution.
func (m *meter) await(b testing.TB, execution string) map[string]result {
	b.Helper()
	var steps map[string]result
	eventually(b, "the steps of "+execution, func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		steps = m.steps[execution]
		return len(steps) == 3
	})
	return steps
}
