// Command benchchain measures the cost of the chain of eventing/chain.yaml in local mode:
// the CPU time of each process and part per image, the images per second, and the time
// from an upload to its last output. With -base it runs a second build beside the first
// and prints the ratios; the builds take turns within each round.
//
//	make bench-chain BASE=/path/to/imageflow-local
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"time"
)

type config struct {
	command, base, image string
	rounds, single, many int
	profile              bool
	profiles             string
}

func main() {
	c := config{}
	flag.StringVar(&c.command, "command", "bin/imageflow-local", "`command` of local mode")
	flag.StringVar(&c.base, "base", "", "`command` of another build to compare with")
	flag.StringVar(&c.image, "image", "test/images/sample.jpg", "`JPEG` to upload, also as one of 640×360")
	flag.IntVar(&c.rounds, "rounds", 7, "rounds of each image")
	flag.IntVar(&c.single, "single", 15, "images of a round that are uploaded one after the other")
	flag.IntVar(&c.many, "many", 60, "images of a round that are uploaded at once")
	flag.BoolVar(&c.profile, "profile", true, "also show which parts of the process use the CPU")
	flag.StringVar(&c.profiles, "profiles", "", "`folder` to keep the profiles in")
	flag.Parse()
	if err := run(c); err != nil {
		fmt.Fprintln(os.Stderr, "benchchain:", err)
		os.Exit(1)
	}
}

func run(c config) error {
	images, err := readImages(c.image)
	if err != nil {
		return err
	}
	builds, err := startBuilds(c)
	if err != nil {
		return err
	}
	defer func() {
		for _, b := range builds {
			b.local.Stop()
		}
	}()
	for _, img := range images {
		if err := compare(c, builds, img); err != nil {
			return err
		}
	}
	return nil
}

// startBuilds starts the build under test and, if there is one, the one to compare with.
func startBuilds(c config) (builds []*build, err error) {
	commands := map[string]string{"this": c.command, "base": c.base}
	for _, name := range []string{"this", "base"} {
		if commands[name] == "" {
			continue
		}
		b, err := startBuild(name, commands[name])
		if err != nil {
			return builds, err
		}
		builds = append(builds, b)
	}
	return builds, nil
}

// compare measures one image in interleaved rounds and prints the tables.
func compare(c config, builds []*build, img testImage) error {
	for _, b := range builds {
		if _, err := b.burst(img, c.single); err != nil { // warm
			return err
		}
	}
	results := make(map[*build]*samples, len(builds))
	for _, b := range builds {
		results[b] = &samples{}
	}
	for round := range c.rounds {
		turn := slices.Clone(builds)
		if round%2 == 1 {
			slices.Reverse(turn)
		}
		for _, b := range turn {
			if err := b.round(c, img, results[b]); err != nil {
				return err
			}
		}
	}
	printSamples(img.path+", "+img.size, builds, results)
	if !c.profile {
		return nil
	}
	return printParts(c, builds, img)
}

// samples are the measurements of one build and one image, one of each round.
type samples struct {
	cpuSingle, cpuMany []float64       // CPU-ms per image
	rate               []float64       // images/s
	single, many       []time.Duration // from an upload to its last output, of all images
}

// round uploads images one after the other and then all at once.
func (b *build) round(c config, img testImage, s *samples) error {
	before := b.cpu()
	for range c.single {
		took, err := b.burst(img, 1)
		if err != nil {
			return err
		}
		s.single = append(s.single, took...)
	}
	s.cpuSingle = append(s.cpuSingle, (b.settled()-before)/float64(c.single))
	before, began := b.cpu(), time.Now()
	took, err := b.burst(img, c.many)
	if err != nil {
		return err
	}
	s.rate = append(s.rate, float64(c.many)/time.Since(began).Seconds())
	s.cpuMany = append(s.cpuMany, (b.settled()-before)/float64(c.many))
	s.many = append(s.many, took...)
	return nil
}

func printSamples(name string, builds []*build, results map[*build]*samples) {
	fmt.Printf("\n%s\n\n%-28s", name, "")
	for _, b := range builds {
		fmt.Printf("%10s", b.name)
	}
	fmt.Println()
	row := func(title string, value func(*samples) float64) {
		fmt.Printf("%-28s", title)
		first := value(results[builds[0]])
		for i, b := range builds {
			fmt.Printf("%10.1f", value(results[b]))
			if i > 0 {
				fmt.Printf("%8.2f ×", first/value(results[b]))
			}
		}
		fmt.Println()
	}
	row("CPU-ms/image, at once", func(s *samples) float64 { return quantile(s.cpuMany, 0.5) })
	row("CPU-ms/image, one by one", func(s *samples) float64 { return quantile(s.cpuSingle, 0.5) })
	row("images/s, at once", func(s *samples) float64 { return quantile(s.rate, 0.5) })
	row("p50 ms, one by one", func(s *samples) float64 { return quantile(milliseconds(s.single), 0.5) })
	row("p99 ms, one by one", func(s *samples) float64 { return quantile(milliseconds(s.single), 0.99) })
	row("p50 ms, at once", func(s *samples) float64 { return quantile(milliseconds(s.many), 0.5) })
	row("p99 ms, at once", func(s *samples) float64 { return quantile(milliseconds(s.many), 0.99) })
}

func milliseconds(all []time.Duration) []float64 {
	ms := make([]float64, len(all))
	for i, d := range all {
		ms[i] = float64(d) / float64(time.Millisecond)
	}
	return ms
}

func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
