package main

import (
	"fmt"
	"slices"
	"strings"

	"imageflow.dev/internal/imaging"
)

// compareSpeed runs each task on all peers in turn. It prints the medians of the times, and
// of the ratios within a round.
func compareSpeed(workers map[string]*process, tasks []named, rounds int) error {
	fmt.Printf("| CPU-ms · ratio to %s · ratio to the %s · ms | %s |\n|---|%s\n",
		baseline, limit, strings.Join(order, " | "), strings.Repeat("---|", len(order)))
	for _, t := range tasks {
		measured := map[string]*costs{}
		for round := range rounds + 1 {
			turn, err := takeTurns(workers, t.task)
			if err != nil {
				return err
			}
			for peer, d := range turn {
				if round == 0 { // warm-up
					measured[peer] = &costs{}
				} else {
					measured[peer].add(d, turn)
				}
			}
		}
		fmt.Printf("| %s |", t.name)
		for _, peer := range order {
			fmt.Printf(" %s |", measured[peer])
		}
		fmt.Println()
	}
	return nil
}

// withModes are the peers that do tasks of other modes than stretch.
var withModes = map[string]bool{baseline: true, "FAST": true, "GOOD": true, "BEST": true}

// takeTurns runs a task once on each peer that does such tasks.
func takeTurns(workers map[string]*process, t task) (map[string]usage, error) {
	turn := map[string]usage{}
	for _, peer := range order {
		if (peer == limit || peer == fullLimit) && t.format != imaging.JPEG || t.mode != stretch && !withModes[peer] {
			continue
		}
		d, err := workers[peer].do(t)
		if err != nil {
			return nil, err
		}
		turn[peer] = d
	}
	return turn, nil
}

// costs are the measurements of one task on one peer, one of each round.
type costs struct{ cpu, wall, toBaseline, toLimit []float64 }

// add adds the usage of a peer. turn is the usage of all peers in the same round.
func (c *costs) add(d usage, turn map[string]usage) {
	c.cpu, c.wall = append(c.cpu, d.cpu), append(c.wall, d.wall)
	c.toBaseline = append(c.toBaseline, d.cpu/turn[baseline].cpu)
	if least, ok := turn[limit]; ok {
		c.toLimit = append(c.toLimit, d.cpu/least.cpu)
	}
}

// String returns the medians, in the order of the head of the table. A nil c has none.
func (c *costs) String() string {
	if c == nil {
		return "–"
	}
	toLimit := "–"
	if c.toLimit != nil {
		toLimit = fmt.Sprintf("%.2f", median(c.toLimit))
	}
	return fmt.Sprintf("%.1f · %.2f · %s · %.0f", median(c.cpu), median(c.toBaseline), toLimit, median(c.wall))
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
