package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/cshum/imagor"
	"github.com/cshum/imagor/imagorpath"
	"github.com/cshum/imagor/vips"
	"github.com/h2non/bimg"
	"golang.org/x/sys/unix"

	"imageflow.dev/functions"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// task is one resize of encoded bytes to exactly this size.
type task struct {
	file          string
	width, height int
	format        imaging.Format
	// eighths is the size, in eighths, to which GOOD lets the decoder shrink a JPEG. Only the
	// limit reads it.
	eighths int
	mode    mode
	keep    string // file to write the output to, if not empty
}

// mode is how a task changes an image.
type mode int

const (
	stretch   mode = iota
	attention      // cut to the aspect ratio by libvips' method of that name
	animation      // all frames of an animation, stretched
)

func (t task) String() string {
	return fmt.Sprintf("%s %d %d %s %d %d %s", t.file, t.width, t.height, t.format, t.eighths, t.mode, t.keep)
}

// peers are the peers written in Go. Each runs in its own process.
var peers = map[string]func() func(data []byte, t task) ([]byte, error){
	"FAST":   ours(imaging.Fast),
	"GOOD":   ours(imaging.Good),
	"BEST":   ours(imaging.Best),
	"bimg":   bimgs,
	"imagor": imagors,
}

func ours(q imaging.Quality) func() func([]byte, task) ([]byte, error) {
	return func() func([]byte, task) ([]byte, error) {
		return func(data []byte, t task) ([]byte, error) {
			m, err := imaging.Open(data, limits)
			if err != nil {
				return nil, err
			}
			if t.mode != stretch {
				return processed(m, t, q)
			}
			out, err := m.Resize(context.Background(), t.width, t.height, q, t.format)
			return out.Data, err
		}
	}
}

// processed does a task of another mode than stretch as the processor does it.
func processed(m *imaging.Image, t task, q imaging.Quality) ([]byte, error) {
	m, err := m.Select(imaging.Selection{}, t.mode == animation)
	if err != nil {
		return nil, err
	}
	req := &imageflowv1.ResizeRequest{
		TargetWidth: int32(t.width), TargetHeight: int32(t.height), Quality: imageflowv1.ResizeQuality(q) + 1,
	}
	if t.mode == attention {
		req.Fit, req.Gravity = imageflowv1.Fit_FIT_COVER, imageflowv1.Gravity_GRAVITY_ATTENTION
	}
	out, _, err := resize.Processor.Apply(context.Background(), req, functions.Input{Image: m, Format: t.format})
	return out.Data, err
}

// bimgs is bimg with its fastest options.
func bimgs() func([]byte, task) ([]byte, error) {
	bimg.VipsCacheSetMax(0)
	return func(data []byte, t task) ([]byte, error) {
		o := bimg.Options{
			Width: t.width, Height: t.height, Force: true, Interpolator: bimg.Bilinear,
			Type: bimg.JPEG, Quality: 85, NoAutoRotate: true, StripMetadata: true,
		}
		switch t.format {
		case imaging.PNG:
			o.Type, o.Compression, o.Interpolator = bimg.PNG, 1, bimg.Bicubic
		case imaging.WebP:
			o.Type, o.Quality = bimg.WEBP, 80
		}
		return bimg.Resize(data, o)
	}
}

// imagors is the processor of imagor, without its server, with its own defaults and the
// encoder settings of this repository.
func imagors() func([]byte, task) ([]byte, error) {
	processor := vips.NewProcessor()
	if err := processor.Startup(context.Background()); err != nil {
		panic(err)
	}
	return func(data []byte, t task) ([]byte, error) {
		quality := "85"
		if t.format == imaging.WebP {
			quality = "80"
		}
		p := imagorpath.Params{Width: t.width, Height: t.height, Stretch: true, Filters: imagorpath.Filters{
			{Name: "format", Args: string(t.format)}, {Name: "quality", Args: quality},
			{Name: "compression", Args: "1"}, {Name: "strip_metadata"},
		}}
		blob, err := processor.Process(context.Background(), imagor.NewBlobFromBytes(data), p, nil)
		if err != nil {
			return nil, err
		}
		return blob.ReadAll()
	}
}

// work runs the tasks of one peer. Each line of standard input is a task. Each line of
// standard output has its CPU time in ms, wall time in ms, and output size in bytes.
func work(peer string) error {
	do := peers[peer]()
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var t task
		if n, err := fmt.Sscan(lines.Text(), &t.file, &t.width, &t.height, &t.format, &t.eighths, &t.mode, &t.keep); n < 6 {
			return err
		}
		data, err := os.ReadFile(t.file)
		if err != nil {
			return err
		}
		cpu, began := cpuTime(), time.Now()
		out, err := do(data, t)
		if err != nil {
			return err
		}
		took, waited := cpuTime()-cpu, time.Since(began)
		if t.keep != "" {
			if err := os.WriteFile(t.keep, out, 0o600); err != nil {
				return err
			}
		}
		fmt.Println(ms(took), ms(waited), len(out))
	}
	return lines.Err()
}

func ms(d time.Duration) string { return strconv.FormatFloat(d.Seconds()*1e3, 'f', 3, 64) }

// cpuTime returns the CPU time of all threads of the process.
func cpuTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}
