// Command benchserver measures the resize process as a server beside an earlier build of
// it and beside another image server. It starts a MinIO of its own and all servers, and
// sends requests by reference in turns: the image is in the bucket, and ImageFlow writes
// its output there. It prints medians of the turns as a table in Markdown.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

type config struct {
	ours, base           string
	peerURL, peerCommand string
	image                string
	width, height        int
	callers, images      int
	rounds               int
}

func parse() (c config) {
	flag.StringVar(&c.ours, "ours", "bin/imageflow", "`binary` of imageflow to measure")
	flag.StringVar(&c.base, "base", "", "another `binary` of imageflow, to compare with; empty: none")
	flag.StringVar(&c.peerURL, "peer-url", "", "URL `template` of another server, with {url} for the URL of the source,\n"+
		"{width} and {height}; such as http://127.0.0.1:8081/insecure/rs:force:{width}:{height}/plain/{url}@jpg")
	flag.StringVar(&c.peerCommand, "peer-command", "", "shell `command` that starts the other server;\n"+
		"empty: it runs already, and its CPU is not measured")
	flag.StringVar(&c.image, "image", "test/images/sample.jpg", "the image to resize, a `file`")
	flag.IntVar(&c.width, "width", 800, "width of the output in `pixels`")
	flag.IntVar(&c.height, "height", 450, "height of the output in `pixels`")
	flag.IntVar(&c.callers, "callers", 4, "number of concurrent callers")
	flag.IntVar(&c.images, "images", 100, "number of requests in a turn")
	flag.IntVar(&c.rounds, "rounds", 9, "number of rounds; each server has one turn in a round")
	flag.Parse()
	return c
}

func (c config) validate() error {
	for name, value := range map[string]int{
		"width": c.width, "height": c.height, "callers": c.callers, "images": c.images, "rounds": c.rounds,
	} {
		if value < 1 {
			return fmt.Errorf("--%s is %d but must be at least 1", name, value)
		}
	}
	if c.peerCommand != "" && c.peerURL == "" {
		return fmt.Errorf("--peer-command needs --peer-url")
	}
	if flag.NArg() > 0 {
		return fmt.Errorf("%q is not a flag; see --help", flag.Arg(0))
	}
	return nil
}

func main() {
	c := parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, c); err != nil {
		fmt.Fprintln(os.Stderr, "benchserver:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, c config) error {
	if err := c.validate(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "benchserver-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := &servers{dir: dir}
	defer s.stop()
	store, err := s.startMinIO(ctx)
	if err != nil {
		return err
	}
	if err := store.upload(ctx, c.image); err != nil {
		return err
	}
	targets, err := s.startTargets(ctx, c, store)
	if err != nil {
		return err
	}
	fmt.Printf("%s to %d×%d, %d callers, medians of %d rounds of %d images\n\n",
		c.image, c.width, c.height, c.callers, c.rounds, c.images)
	if err := measure(ctx, c, targets, store.process); err != nil {
		return err
	}
	report(os.Stdout, targets)
	return store.checkOutputs(ctx, targets)
}
