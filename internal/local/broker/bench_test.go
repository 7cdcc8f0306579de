package broker_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"imageflow.dev/internal/local/broker"
)

// BenchmarkDeliver measures the time from a post to the delivery, with five Triggers of
// which one selects the event.
func BenchmarkDeliver(b *testing.B) {
	got := make(chan bool, 1)
	s := &subscriber{Server: httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { got <- true }))}
	defer s.Close()
	triggers := map[string]string{"one": on("a", s)}
	for _, other := range []string{"b", "c", "d", "e"} {
		triggers[other] = on(other, s)
	}
	br := start(b, broker.Config{}, manifest("{retry: 0}", triggers))
	var all []time.Duration
	for b.Loop() {
		began := time.Now()
		publish(b, br, "a", "{}")
		<-got
		all = append(all, time.Since(began))
	}
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds()), "µs-p50")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "µs-p99")
}

// BenchmarkThroughput measures the events per second of several producers.
func BenchmarkThroughput(b *testing.B) {
	var delivered atomic.Int64
	s := &subscriber{Server: httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { delivered.Add(1) }))}
	defer s.Close()
	br := start(b, broker.Config{}, manifest("{retry: 0}", map[string]string{"t": on("a", s)}))
	b.SetParallelism(8)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			publish(b, br, "a", "{}")
		}
	})
	for delivered.Load() < int64(b.N) {
		time.Sleep(time.Millisecond)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
