package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// buildBase compiles the bench of another checkout of this repository to a file.
func buildBase(checkout, to string) error {
	args := []string{"-C", filepath.Join(checkout, "test/bench"), "build", "-mod=mod", "-o", to, "."}
	out, err := exec.Command("go", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("building %s: %w\n%s", checkout, err, out)
	}
	return nil
}

// compareBuilds runs the resizes on this build and on the build of another checkout, in turn. It prints
// the medians of the CPU times, and of the ratios within a round.
func compareBuilds(checkout, dir string, p photos, rounds int) error {
	base := filepath.Join(dir, "base")
	if err := buildBase(checkout, base); err != nil {
		return err
	}
	fmt.Print("| CPU-ms · of the base · ratio | FAST | GOOD | BEST |\n|---|---|---|---|\n")
	for _, t := range p.resizes() {
		fmt.Printf("| %s |", t.name)
		for _, quality := range []string{"FAST", "GOOD", "BEST"} {
			c, err := comparePair(base, quality, t.task, rounds)
			if err != nil {
				return err
			}
			fmt.Printf(" %.1f · %.1f · %.3f |", median(c.cpu), median(c.baseCPU), median(c.ratio))
		}
		fmt.Println()
	}
	return nil
}

// pair are the measurements of one task on two builds, one of each round.
type pair struct{ cpu, baseCPU, ratio []float64 }

// comparePair runs a task on two new processes. The builds take turns, and the first of a round is
// the second of the next one.
func comparePair(base, quality string, t task, rounds int) (c pair, err error) {
	var builds [2]*process
	for i, command := range []string{os.Args[0], base} {
		if builds[i], err = start([]string{command, "-worker", quality}); err != nil {
			return c, err
		}
		defer builds[i].end()
	}
	for round := range rounds + 1 {
		var cpu [2]float64
		for i := range builds {
			build := (round + i) % len(builds)
			d, err := builds[build].do(t)
			if err != nil {
				return c, err
			}
			cpu[build] = d.cpu
		}
		if round > 0 { // after the warm-up
			c.cpu, c.baseCPU = append(c.cpu, cpu[0]), append(c.baseCPU, cpu[1])
			c.ratio = append(c.ratio, cpu[0]/cpu[1])
		}
	}
	return c, nil
}
