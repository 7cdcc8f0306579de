// Command load sends images at a constant rate, whether or not earlier ones are done (an open
// model), and reports whether the service levels hold.
package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"imageflow.dev/test/localmode"
)

type config struct {
	gateway, token                   string
	target                           string
	s3, bucket, accessKey, secretKey string
	rates                            string
	duration, timeout, rest          time.Duration
	image, folder                    string
	start, out, name, note           string
	flood, watchers                  int
}

func parse() (c config) {
	flag.StringVar(&c.gateway, "gateway", "", "`URL` of the gateway; empty starts a local mode")
	flag.StringVar(&c.token, "token", os.Getenv("GATEWAY_TOKEN"), "bearer token of the gateway (default $GATEWAY_TOKEN)")
	flag.StringVar(&c.target, "target", "calls",
		"requests to send: calls (a pipeline in one call, with the bytes of the image) or\n"+
			"uploads (into the bucket, through the chain of events)")
	flag.StringVar(&c.s3, "s3", "", "uploads: `host:port` of the object store")
	flag.StringVar(&c.bucket, "bucket", "imageflow-files", "uploads: the bucket")
	flag.StringVar(&c.accessKey, "access-key", "imageflow", "uploads: access key")
	flag.StringVar(&c.secretKey, "secret-key", "imageflow-local", "uploads: secret key")
	flag.IntVar(&c.flood, "flood", 0, "put this `number` of images at once into a local mode in its place, and watch them complete")
	flag.IntVar(&c.watchers, "watchers", 0, "flood: further watches of the executions")
	flag.StringVar(&c.rates, "rates", "10,30,60", "images a second, one run after the other; the first is the uncrowded one")
	flag.DurationVar(&c.duration, "duration", time.Minute, "how long each rate lasts")
	flag.DurationVar(&c.timeout, "timeout", time.Minute, "how long one image may take")
	flag.DurationVar(&c.rest, "rest", 5*time.Second, "pause between two rates")
	flag.StringVar(&c.image, "image", "test/images/sample.jpg", "`JPEG` that the mixed set is made of")
	flag.StringVar(&c.folder, "images", "", "`folder` of images to send in turn in its place")
	flag.StringVar(&c.start, "start", "bin/imageflow-local", "the `command` of local mode")
	flag.StringVar(&c.out, "out", "test/load/results", "`folder` of the result")
	flag.StringVar(&c.name, "name", "local", "name of the result, after the date")
	flag.StringVar(&c.note, "note", "", "what else is to be said in the result")
	flag.Parse()
	return c
}

func main() {
	if err := run(parse()); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(c config) error {
	if c.gateway == "" {
		command := exec.Command(c.start)
		command.Env = append(os.Environ(), fmt.Sprintf("MAX_WATCHES=%d", 256+c.watchers),
			fmt.Sprintf("MAX_CONNECTIONS=%d", 512+c.watchers))
		local, err := localmode.StartCommand(command, func(string) {})
		if err != nil {
			return err
		}
		defer local.Stop()
		c.gateway, c.s3, pid = local.Gateway, local.S3, local.PID()
	}
	set, err := imageSet(c)
	if err != nil {
		return err
	}
	if c.flood > 0 {
		return flood(c, set)
	}
	attack, err := attacker(c, set)
	if err != nil {
		return err
	}
	r := &report{config: c, set: set, began: time.Now()}
	for text := range strings.SplitSeq(c.rates, ",") {
		rate, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || rate < 1 {
			return fmt.Errorf("--rates: %q is no number of images a second", text)
		}
		if len(r.runs) > 0 {
			time.Sleep(c.rest)
		}
		fmt.Printf("%d a second for %v ...\n", rate, c.duration)
		r.runs = append(r.runs, measure(attack(rate), rate, c.duration))
	}
	return r.write()
}

func imageSet(c config) ([]testImage, error) {
	if c.folder != "" {
		return folder(c.folder)
	}
	return mixed(c.image)
}

// attacker returns a load generator that sends the set at a rate.
func attacker(c config, set []testImage) (func(rate int) <-chan *vegeta.Result, error) {
	options := []func(*vegeta.Attacker){vegeta.Timeout(c.timeout), vegeta.Connections(1000)}
	var target vegeta.Targeter
	var err error
	switch c.target {
	case "calls":
		target, err = calls(c.gateway, c.token, set)
	case "uploads":
		var u *uploads
		if u, err = newUploads(c, set); err == nil {
			target, options = u.targeter(), append(options, vegeta.Client(&http.Client{Transport: u}))
		}
	default:
		err = fmt.Errorf("--target is %q but must be calls or uploads", c.target)
	}
	return func(rate int) <-chan *vegeta.Result {
		return vegeta.NewAttacker(options...).Attack(target, vegeta.Rate{Freq: rate, Per: time.Second}, c.duration, "")
	}, err
}
