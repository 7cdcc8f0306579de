// Command bench compares resizes with vips_thumbnail called from C, with bimg and
// with imagor, on this machine, and prints tables in Markdown.
//
// Each peer is a process of its own, all with one thread a picture; they take
// turns. CPU time is that of the process, garbage collection included.
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
	worker := flag.String("worker", "", "work as this peer (used by bench itself)")
	rounds := flag.Int("rounds", 25, "how often each peer does each task")
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

// order is that of the tables' columns; the first is what the others are compared
// with.
var order = []string{limit, "FAST", "GOOD", "BEST", "bimg", "imagor"}

const limit = "vips_thumbnail"

func run(rounds int) error {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, limit)
	if err := compile(binary); err != nil {
		return err
	}
	workers := map[string]*process{}
	for _, peer := range order {
		args := []string{os.Args[0], "-worker", peer}
		if peer == limit {
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
