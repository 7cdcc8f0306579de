// Command bench compares the resizes of this repository with vips_thumbnail called from C,
// with bimg and with imagor, and prints tables in Markdown.
//
// Each peer is a process of its own with one thread per image, and the peers take turns.
// CPU time is the time of the whole process, with garbage collection.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
)

func main() {
	log.SetFlags(0)
	worker := flag.String("worker", "", "run as this peer (used by bench itself)")
	rounds := flag.Int("rounds", 25, "number of rounds of each task")
	flag.Parse()
	if *worker != "" {
		if err := work(*worker); err != nil {
			log.Fatalf("%s: %v", *worker, err)
		}
		return
	}
	if err := run(*rounds); err != nil {
		log.Fatal(err)
	}
}

// order is the order of the columns. Ratios are relative to the first one.
var order = []string{baseline, "FAST", "GOOD", "BEST", "bimg", "imagor"}

const baseline = "vips_thumbnail"

func run(rounds int) error {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, baseline)
	if err := compile(binary); err != nil {
		return err
	}
	workers := map[string]*process{}
	for _, peer := range order {
		args := []string{os.Args[0], "-worker", peer}
		if peer == baseline {
			args = []string{binary}
		}
		if workers[peer], err = start(args); err != nil {
			return err
		}
		defer workers[peer].end()
	}
	photos, err := gather(dir)
	if err != nil {
		return err
	}
	if err := compareSpeed(workers, photos.tasks(), rounds); err != nil {
		return err
	}
	fmt.Println()
	return compareFidelity(workers, photos, dir)
}
