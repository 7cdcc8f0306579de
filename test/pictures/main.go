// Command pictures generates the page that shows fits, gravities, filters, qualities and encodings: its
// images and its README.md, in the given folder.
package main

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"imageflow.dev/functions"
	"imageflow.dev/functions/filter"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/job"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

func main() {
	log.SetFlags(0)
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the services log each image
	if len(os.Args) != 3 {
		log.Fatal("usage: pictures IMAGE FOLDER")
	}
	original, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	p := newPage(os.Args[2])
	if err := p.make(original); err != nil {
		log.Fatal(err)
	}
}

// page collects the text of the page and writes its files. Its images are made as the services make them.
type page struct {
	folder         string
	text           strings.Builder
	resize, filter *job.Runner
}

func newPage(folder string) *page {
	admission := job.NewAdmission(job.AdmissionLimits{Active: 1, DecodedBytes: 1 << 30, Cores: 1})
	config := job.Config{MaxObjectBytes: 1 << 24, Limits: imaging.Limits{MaxSide: 16383, MaxPixels: 50_000_000}}
	return &page{
		folder: folder,
		resize: job.NewRunner(resize.Processor, nil, admission, config),
		filter: job.NewRunner(filter.Processor, nil, admission, config),
	}
}

const head = `# What it looks like

` + "`make pictures`" + ` generates this page from [sample.jpg](../images/sample.jpg), 1920×1080, with the code of the
services. [resize.proto](../../proto/imageflow/v1/resize.proto),
[geometry.proto](../../proto/imageflow/v1/geometry.proto), [filter.proto](../../proto/imageflow/v1/filter.proto) and
[encoding.proto](../../proto/imageflow/v1/encoding.proto) define what it shows.
`

func (p *page) make(original []byte) error {
	p.text.WriteString(head)
	small, err := p.resized(&imageflowv1.ResizeRequest{
		InputBytes: original, TargetWidth: 480, Quality: imageflowv1.ResizeQuality_RESIZE_QUALITY_BEST, OutputImage: as(imaging.PNG),
	})
	if err != nil {
		return err
	}
	for _, section := range []func(original, small []byte) error{p.geometry, p.filters, p.qualities, p.encodings} {
		if err := section(original, small); err != nil {
			return err
		}
	}
	return p.write("README.md", []byte(p.text.String()))
}

func (p *page) write(name string, data []byte) error {
	return os.WriteFile(filepath.Join(p.folder, name), data, 0o644) //nolint:gosec // a public page
}

// show writes an image and adds a cell of a table with it and its caption.
func (p *page) show(file, caption string, data []byte) error {
	fmt.Fprintf(&p.text, " ![%s](%s)<br>%s |", caption, file, caption)
	return p.write(file, data)
}

// as is an output of a format.
func as(f imaging.Format) *imageflowv1.ImageData {
	return &imageflowv1.ImageData{ContentType: f.MediaType()}
}

func (p *page) resized(req *imageflowv1.ResizeRequest) ([]byte, error) { return run(p.resize, req) }

func (p *page) filtered(req *imageflowv1.FilterRequest) ([]byte, error) { return run(p.filter, req) }

func run(r *job.Runner, req functions.Request) ([]byte, error) {
	resp, err := r.Run(context.Background(), req, job.Block)
	if err != nil {
		return nil, err
	}
	return resp.GetResult().GetOutputData(), nil
}
