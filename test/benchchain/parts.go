package main

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/pprof/profile"
)

// part is a part of the process by the packages, or functions, of its code.
type part struct {
	name     string
	prefixes []string
}

// parts lists the parts. A sample belongs to the part of its innermost frame that has one.
var parts = []part{
	// Code without a Go caller belongs to libvips' threads. ONNX Runtime has no threads of its own.
	{"pixels", []string{"imageflow.dev/internal/imaging.", "imageflow.dev/functions/", "runtime._ExternalCode"}},
	{"inference", []string{"imageflow.dev/internal/inference.", "github.com/yalue/onnxruntime_go."}},
	{"jobs", []string{"imageflow.dev/internal/job.", "imageflow.dev/internal/execution."}},
	{"store client", []string{"imageflow.dev/internal/objects.", "github.com/minio/minio-go/"}},
	{"store server", []string{
		"github.com/versity/versitygw/", "github.com/valyala/fasthttp", "github.com/gofiber/",
		"imageflow.dev/internal/local/s3server.",
	}},
	{"event store", []string{"github.com/nats-io/"}},
	{"broker", []string{"imageflow.dev/internal/local/broker."}},
	{"bridge", []string{"imageflow.dev/internal/bridge."}},
	{"events", []string{
		"imageflow.dev/internal/event.", "imageflow.dev/internal/events.", "imageflow.dev/internal/signature.",
		"imageflow.dev/internal/httpevent.", "imageflow.dev/internal/jsonlimit.", "github.com/cloudevents/",
	}},
	{"telemetry", []string{
		"imageflow.dev/internal/telemetry.", "imageflow.dev/internal/metrics.", "go.opentelemetry.io/", "log/slog.",
	}},
	{"HTTP", []string{"net/http.", "net/http/", "imageflow.dev/internal/server."}},
	{"garbage collector", []string{"runtime.gcBgMarkWorker", "runtime.bgsweep", "runtime.bgscavenge", "runtime.gcAssistAlloc"}},
	{"scheduler", []string{"runtime.mcall", "runtime.mstart", "runtime.schedule", "runtime.sysmon", "runtime.morestack"}},
}

func partOf(s *profile.Sample) string {
	for _, location := range s.Location { // innermost first
		for _, line := range location.Line {
			name := line.Function.Name
			for _, p := range parts {
				if slices.ContainsFunc(p.prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
					return p.name
				}
			}
		}
	}
	return "others"
}

const (
	// profileTime is the length of a CPU profile.
	profileTime = 20 * time.Second
	// inFlight is the number of images in the chain meanwhile.
	inFlight = 16
)

// profiled returns the CPU-ms per image of each part while a constant number of images is
// in the chain.
func (b *build) profiled(c config, img testImage) (map[string]float64, error) {
	var all sync.WaitGroup
	defer all.Wait()
	ended := make(chan struct{})
	defer close(ended)
	failed := make(chan error, inFlight)
	for range inFlight {
		all.Go(func() {
			for open := true; open; {
				if _, err := b.upload(img); err != nil {
					failed <- err
					return
				}
				select {
				case <-ended:
					open = false
				default:
				}
			}
		})
	}
	time.Sleep(time.Second)
	before := b.completed()
	p, err := b.fetchProfile(c.profiles, b.name+"-"+img.size)
	if err != nil {
		return nil, err
	}
	select {
	case err := <-failed:
		return nil, err
	default:
		return perImage(p, b.completed()-before), nil
	}
}

// fetchProfile takes a profile. It also writes it into the folder, if there is one.
func (b *build) fetchProfile(folder, name string) (*profile.Profile, error) {
	resp, err := http.Get(fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%.0f", b.profiles, profileTime.Seconds()))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err == nil && folder != "" {
		err = os.WriteFile(filepath.Join(folder, name+".pprof"), data, 0o644)
	}
	if err != nil {
		return nil, err
	}
	return profile.ParseData(data)
}

func perImage(p *profile.Profile, images int) map[string]float64 {
	used := map[string]float64{}
	for _, s := range p.Sample {
		used[partOf(s)] += float64(s.Value[1]) / float64(time.Millisecond) / float64(images)
	}
	return used
}

// printParts profiles each build and prints its parts, the largest first.
func printParts(c config, builds []*build, img testImage) error {
	used := make([]map[string]float64, len(builds))
	for i, b := range builds {
		var err error
		if used[i], err = b.profiled(c, img); err != nil {
			return err
		}
	}
	names := []string{"others"}
	for _, p := range parts {
		names = append(names, p.name)
	}
	last := used[len(used)-1]
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(last[b], last[a]) })
	fmt.Printf("\n%-28s", "CPU-ms/image by part")
	for _, b := range builds {
		fmt.Printf("%10s", b.name)
	}
	fmt.Println()
	for _, name := range names {
		fmt.Printf("%-28s", "  "+name)
		for i := range builds {
			fmt.Printf("%10.1f", used[i][name])
		}
		fmt.Println()
	}
	return nil
}
