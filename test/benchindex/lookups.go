package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"time"
)

// lookups runs a gateway and prints the times of its lookups.
func lookups(ctx context.Context, procs *processes, s settings, st *store) error {
	listen := port()
	gateway, err := procs.start("gateway", exec.Command(s.imageflow, "gateway"),
		append(st.env(), "PORT="+listen, "METRICS_PORT=0")...)
	if err != nil {
		return err
	}
	defer gateway.stop()
	for _, path := range []string{"/v1/executions/" + live, "/v1/executions?page_size=50"} {
		var times []time.Duration
		var code int
		for range s.calls {
			began := time.Now()
			if code, err = get(ctx, "http://127.0.0.1:"+listen+path); err != nil {
				return err
			}
			times = append(times, time.Since(began))
		}
		first := times[0]
		slices.Sort(times)
		fmt.Printf("  GET %-30s %d, first %v, p50 %v, p95 %v\n", path, code, first.Round(time.Microsecond*100),
			times[len(times)/2].Round(time.Microsecond*100), times[len(times)*95/100].Round(time.Microsecond*100))
	}
	return nil
}

// get returns the status of an answer. It waits for the server to start.
func get(ctx context.Context, url string) (int, error) {
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return 0, err
		}
		answer, err := http.DefaultClient.Do(r)
		if err == nil {
			_, err = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
			return answer.StatusCode, err
		}
		if time.Now().After(until) {
			return 0, fmt.Errorf("%s: %w", url, err)
		}
	}
}
