package main

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// turn is the result of one turn of a target.
type turn struct {
	rate       float64 // images/s
	p50, p99   float64 // ms
	cpu, minio float64 // CPU-ms an image, of the target and of MinIO
}

// pause is the time between two turns, in which connections and collectors come to rest.
const pause = 200 * time.Millisecond

// measure gives each target one turn in each round. The order changes from round to round.
// The first round is a warm-up.
func measure(ctx context.Context, c config, targets []*target, minio *process) error {
	order := slices.Clone(targets)
	for round := range c.rounds + 1 {
		for _, t := range order {
			result, err := t.turn(ctx, c, minio)
			if err != nil {
				return err
			}
			if round > 0 {
				t.turns = append(t.turns, result)
			}
		}
		slices.Reverse(order)
	}
	return nil
}

// turn sends the requests of one turn.
func (t *target) turn(ctx context.Context, c config, minio *process) (turn, error) {
	time.Sleep(pause)
	cpu, err := t.process.cpu()
	if err != nil {
		return turn{}, err
	}
	stored, err := minio.cpu()
	if err != nil {
		return turn{}, err
	}
	began := time.Now()
	latencies, err := t.send(ctx, c.callers, c.images)
	if err != nil {
		return turn{}, err
	}
	took := time.Since(began)
	time.Sleep(pause)
	cpuAfter, err := t.process.cpu()
	if err != nil {
		return turn{}, err
	}
	storedAfter, err := minio.cpu()
	n := float64(c.images)
	slices.Sort(latencies)
	return turn{
		rate: n / took.Seconds(), p50: ms(quantile(latencies, 0.5)), p99: ms(quantile(latencies, 0.99)),
		cpu: ms(cpuAfter-cpu) / n, minio: ms(storedAfter-stored) / n,
	}, err
}

// send sends the next requests of the target and returns their latencies.
func (t *target) send(ctx context.Context, callers, images int) ([]time.Duration, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: callers, DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(callers)
	var mutex sync.Mutex
	var latencies []time.Duration
	for range images {
		n := t.sent
		t.sent++
		group.Go(func() error {
			began := time.Now()
			if err := t.do(ctx, client, n); err != nil {
				return err
			}
			took := time.Since(began)
			mutex.Lock()
			defer mutex.Unlock()
			latencies = append(latencies, took)
			return nil
		})
	}
	err := group.Wait()
	return latencies, err
}

// quantile returns a quantile of sorted durations.
func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
