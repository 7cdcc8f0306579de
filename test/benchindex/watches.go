package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/index"
)

const (
	watchTime = time.Minute
	// perSecond are the executions that complete in a second, with four changes each.
	perSecond = 5
)

// watches runs a gateway with watchers while executions complete, and prints what the gateway used and
// whether each watcher has seen each change.
func watches(ctx context.Context, procs *processes, s settings, st *store) error {
	listen := port()
	gateway, err := procs.start("gateway-watched", exec.Command(s.imageflow, "gateway"), append(st.env(), "PORT="+listen,
		"METRICS_PORT=0", "MAX_WATCHES="+strconv.Itoa(s.watchers), "MAX_CONNECTIONS="+strconv.Itoa(s.watchers+100))...)
	if err != nil {
		return err
	}
	defer gateway.stop()
	if _, err := get(ctx, "http://127.0.0.1:"+listen+"/health/readiness"); err != nil {
		return err
	}
	return watchAll(ctx, "http://127.0.0.1:"+listen, gateway, s.watchers, st)
}

// watchAll runs watchers of a gateway while executions complete.
func watchAll(ctx context.Context, url string, gateway *process, watchers int, st *store) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var seen, open, disordered atomic.Int64
	group, watching := errgroup.WithContext(ctx)
	for range watchers {
		group.Go(func() error { return watch(watching, url, &seen, &open, &disordered) })
	}
	for open.Load() < int64(watchers) && ctx.Err() == nil {
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(2 * time.Second)
	before, err := gateway.cpu()
	if err != nil {
		return err
	}
	written, err := st.complete(ctx)
	if err != nil {
		return err
	}
	time.Sleep(3 * time.Second)
	after, err := gateway.cpu()
	if err != nil {
		return err
	}
	memory := gateway.memory()
	fmt.Printf("  %d watchers, %d changes in %v: gateway CPU %.1f %% of a core, RSS %d MB, anonymous %d MB; "+
		"each saw %.2f of the changes, %d out of order\n", watchers, written, watchTime, share(after-before, watchTime),
		memory.Resident>>20, memory.Anonymous>>20, float64(seen.Load())/float64(written)/float64(watchers), disordered.Load())
	if watching.Err() != nil {
		return group.Wait()
	}
	cancel()
	_ = group.Wait() // the watches end with the context
	return nil
}

// complete writes the index of executions that complete, with a segment a second.
func (st *store) complete(ctx context.Context) (changes int, err error) {
	for i := range int(watchTime / time.Second) {
		next := time.After(time.Second)
		w := index.NewWriter(st.client, letters)
		for j := range perSecond {
			id, at := fmt.Sprintf("live/%d-%d", i, j), time.Now().UTC()
			for _, e := range []index.Entry{
				{Key: id + ".jpg", ETag: "1", Arrived: at},
				{Steps: []index.Step{{Name: "resize", At: at.Add(time.Millisecond)}}},
				{Steps: []index.Step{{Name: "detect", At: at.Add(2 * time.Millisecond)}}},
				{Outcome: index.Outcome{Status: execution.StatusCompleted, ETag: "1", At: at.Add(3 * time.Millisecond)}},
			} {
				e.Bucket, e.ID = files, id
				w.Append(e)
				changes++
			}
		}
		if err := w.Close(ctx); err != nil {
			return changes, err
		}
		<-next
	}
	return changes, nil
}

// watch counts the events of a watch, and those that come after a later one of the same execution.
func watch(ctx context.Context, url string, seen, open, disordered *atomic.Int64) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/v1/executions:watch?prefix=live/", nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("a watch is answered %s", answer.Status)
	}
	states := map[string]int{}
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if lines.Text() == ": heartbeat" && len(states) == 0 {
			open.Add(1)
			states[""] = 0
		}
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		_, id, ok := strings.Cut(data, "live/")
		if !ok {
			return fmt.Errorf("a watch has ended: %s", data)
		}
		id, _, _ = strings.Cut(id, `"`)
		seen.Add(1)
		state := strings.Count(data, `"name"`) + strings.Count(data, "COMPLETED")
		if state < states[id] {
			disordered.Add(1)
		}
		states[id] = state
	}
	return nil
}
