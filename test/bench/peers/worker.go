package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/cshum/imagor"
	"github.com/cshum/imagor/imagorpath"
	"github.com/cshum/imagor/vips"

	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/job"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// side is a target that no file reaches, so that no image is resized.
const side = 4096

// work does the tasks of a peer written in Go. A line of standard input is a task in JSON; a line of standard
// output is its error, and empty without one.
func work(name string) error {
	convert := byImageFlow()
	if name == "imagor" {
		processor := vips.NewProcessor(vips.WithMaxAnimationFrames(-1))
		if err := processor.Startup(context.Background()); err != nil {
			return err
		}
		convert = byImagor(processor)
	}
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the service logs each image
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var t task
		if err := json.Unmarshal(lines.Bytes(), &t); err != nil {
			return err
		}
		answer := ""
		if err := convertFile(convert, t); err != nil {
			answer = strings.ReplaceAll(err.Error(), "\n", " ")
		}
		fmt.Println(answer)
	}
	return lines.Err()
}

func convertFile(convert func(data []byte, t task) ([]byte, error), t task) error {
	data, err := os.ReadFile(t.From)
	if err != nil {
		return err
	}
	out, err := convert(data, t)
	if err != nil {
		return err
	}
	return os.WriteFile(t.To, out, 0o600)
}

// byImageFlow is the service of resize, without its server.
func byImageFlow() func([]byte, task) ([]byte, error) {
	runner := job.NewRunner(resize.Processor, nil, job.NewAdmission(job.AdmissionLimits{Active: 1, DecodedBytes: 1 << 30, Cores: 1}),
		job.Config{MaxObjectBytes: 1 << 24, Limits: imaging.Limits{MaxSide: 16383, MaxPixels: 50_000_000}})
	return func(data []byte, t task) ([]byte, error) {
		resp, err := runner.Run(context.Background(), &imageflowv1.ResizeRequest{
			InputBytes: data, TargetWidth: side, TargetHeight: side, Fit: imageflowv1.Fit_FIT_CONTAIN,
			OutputImage: &imageflowv1.ImageData{ContentType: "image/" + t.Format},
		}, job.Block)
		if err != nil {
			return nil, err
		}
		return resp.GetResult().GetOutputData(), nil
	}
}

// byImagor is the processor of imagor, without its server.
func byImagor(processor *vips.Processor) func([]byte, task) ([]byte, error) {
	return func(data []byte, t task) ([]byte, error) {
		p := imagorpath.Params{FitIn: true, Width: side, Height: side, Filters: imagorpath.Filters{{Name: "format", Args: t.Format}}}
		if !t.Animated {
			p.Filters = append(p.Filters, imagorpath.Filter{Name: "max_frames", Args: "1"})
		}
		blob, err := processor.Process(context.Background(), imagor.NewBlobFromBytes(data), p, nil)
		if err != nil {
			return nil, err
		}
		return blob.ReadAll()
	}
}
