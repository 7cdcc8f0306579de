// Command bench compares the resizes of this repository with vips_thumbnail called from C,
// with bimg, with imagor, and with the least work that the codecs can do. It prints tables
// in Markdown.
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
	rounds := flag.Int("rounds", 25, "number of rounds of each task; 0 measures only the fidelity")
	base := flag.String("base", "", "instead compare the resizes of another checkout of this repository with those of this one")
	flag.Parse()
	if *worker != "" {
		if err := work(*worker); err != nil {
			log.Fatalf("%s: %v", *worker, err)
		}
		return
	}
	if err := run(*base, *rounds); err != nil {
		log.Fatal(err)
	}
}

// order is the order of the columns.
var order = []string{baseline, "FAST", "GOOD", "BEST", "bimg", "imagor", limit, fullLimit}

// Ratios are relative to the baseline, and to the limit: decoding a JPEG to planes at the size
// that GOOD uses, or an AVIF, and encoding planes. The full limit decodes at full size.
const (
	baseline  = "vips_thumbnail"
	limit     = "limit"
	fullLimit = "limit at full size"
)

// peersInC are the commands of the peers written in C, which are compiled to a folder.
func peersInC(dir string) (map[string][]string, error) {
	thumbnail, planes := filepath.Join(dir, "thumbnail"), filepath.Join(dir, "limit")
	if err := compile(thumbnail, "vips"); err != nil {
		return nil, err
	}
	if err := compile(planes, "libjpeg dav1d"); err != nil {
		return nil, err
	}
	return map[string][]string{baseline: {thumbnail}, limit: {planes}, fullLimit: {planes, "full"}}, nil
}

func run(base string, rounds int) error {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	photos, err := gather(dir)
	if err != nil {
		return err
	}
	if base != "" {
		return compareBuilds(base, dir, photos, rounds)
	}
	return comparePeers(dir, photos, rounds)
}

func comparePeers(dir string, p photos, rounds int) error {
	commands, err := peersInC(dir)
	if err != nil {
		return err
	}
	workers := map[string]*process{}
	for _, peer := range order {
		args, ok := commands[peer]
		if !ok {
			args = []string{os.Args[0], "-worker", peer}
		}
		if workers[peer], err = start(args); err != nil {
			return err
		}
		defer workers[peer].end()
	}
	if rounds > 0 {
		if err := compareSpeed(workers, p.tasks(), rounds); err != nil {
			return err
		}
		fmt.Println()
	}
	return compareFidelity(workers, p, dir)
}
