package main

import (
	"fmt"
	"slices"
	"strings"
)

// compareSpeed runs each task on all peers in turn. It prints the medians of the times, and
// of the ratios within a round.
func compareSpeed(workers map[string]*process, tasks []named, rounds int) error {
	fmt.Printf("| CPU-ms, as a ratio to %s, ms | %s |\n|---|%s\n",
		baseline, strings.Join(order, " | "), strings.Repeat("---|", len(order)))
	for _, t := range tasks {
		cpu, wall, ratio := map[string][]float64{}, map[string][]float64{}, map[string][]float64{}
		for round := range rounds + 1 {
			turn := map[string]usage{}
			for _, peer := range order {
				d, err := workers[peer].do(t.task)
				if err != nil {
					return err
				}
				turn[peer] = d
			}
			if round == 0 { // warm-up
				continue
			}
			for peer, d := range turn {
				cpu[peer], wall[peer] = append(cpu[peer], d.cpu), append(wall[peer], d.wall)
				ratio[peer] = append(ratio[peer], d.cpu/turn[baseline].cpu)
			}
		}
		fmt.Printf("| %s |", t.name)
		for _, peer := range order {
			fmt.Printf(" %.1f · %.2f · %.0f |", median(cpu[peer]), median(ratio[peer]), median(wall[peer]))
		}
		fmt.Println()
	}
	return nil
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
