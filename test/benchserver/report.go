package main

import (
	"fmt"
	"io"
	"slices"
)

// report prints the medians of the turns. The ratios are medians of the ratios to the first
// target within a round.
func report(w io.Writer, targets []*target) {
	first := targets[0]
	fmt.Fprintf(w, "| | images/s | p50 ms | p99 ms | CPU-ms | MinIO's CPU-ms "+
		"| images/s to %[1]s | CPU to %[1]s | both CPUs to %[1]s |\n", first.name)
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|")
	for _, t := range targets {
		over := func(value func(turn) float64) float64 {
			return t.median(func(i int) float64 { return value(t.turns[i]) / value(first.turns[i]) })
		}
		of := func(value func(turn) float64) float64 {
			return t.median(func(i int) float64 { return value(t.turns[i]) })
		}
		fmt.Fprintf(w, "| %s | %.1f | %.0f | %.0f | ", t.name, of(turn.images), of(turn.middle), of(turn.tail))
		if t.process == nil {
			fmt.Fprintf(w, "– | %.1f | %.2f | – | – |\n", of(turn.stored), over(turn.images))
			continue
		}
		fmt.Fprintf(w, "%.1f | %.1f | %.2f | %.2f | %.2f |\n",
			of(turn.own), of(turn.stored), over(turn.images), over(turn.own), over(turn.both))
	}
}

func (t turn) images() float64 { return t.rate }
func (t turn) middle() float64 { return t.p50 }
func (t turn) tail() float64   { return t.p99 }
func (t turn) own() float64    { return t.cpu }
func (t turn) stored() float64 { return t.minio }
func (t turn) both() float64   { return t.cpu + t.minio }

// median returns the median of a value over the turns.
func (t *target) median(value func(i int) float64) float64 {
	values := make([]float64, len(t.turns))
	for i := range values {
		values[i] = value(i)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
