package dataset

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/processors"
)

const (
	// parallelism is the number of side-cars that are fetched at a time.
	parallelism = 8
	// maxSideCarBytes is the maximum of what detect writes, and maxImageBytes far above its default.
	maxSideCarBytes = 16 << 20
	maxImageBytes   = 256 << 20
)

// fetched is the content of a side-car, and its image if images are copied.
type fetched struct {
	key string
	*annotated
	image []byte
	err   error
}

// read returns the side-cars under the prefix in the order of their keys.
func (e *exporter) read(ctx context.Context) iter.Seq[fetched] {
	return func(yield func(fetched) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		queue := make(chan chan fetched, parallelism-1)
		go e.fill(ctx, queue)
		for one := range queue {
			if r := <-one; (r.err != nil || r.annotated != nil) && !yield(r) {
				return
			}
		}
	}
}

// fill lists the prefix and fetches side-cars. The capacity of the queue limits how many at a time.
func (e *exporter) fill(ctx context.Context, queue chan<- chan fetched) {
	defer close(queue)
	for entry, err := range e.Store.Walk(ctx, e.Bucket, e.Prefix) {
		if err == nil && !maybeSideCar(entry) {
			continue
		}
		one := make(chan fetched, 1)
		select {
		case queue <- one:
		case <-ctx.Done():
			return
		}
		if err != nil {
			one <- fetched{key: e.Prefix, err: &fatalError{err}}
			return
		}
		go func() { one <- e.fetch(ctx, entry.Info) }()
	}
}

// maybeSideCar reports whether an object may be the side-car of a detection.
func maybeSideCar(entry objects.Entry) bool {
	return strings.HasSuffix(entry.Key, ".json") && (!entry.HasMetadata || isSideCar(entry.Info))
}

// isSideCar reports whether detect wrote the object. A copy that has lost its metadata is recognised by
// its name.
func isSideCar(info objects.Info) bool {
	if step := info.Metadata[execution.StepMetadata]; step != "" {
		return step == processors.Detect.Name
	}
	names := processors.NamesOf(info.Key[:max(0, strings.LastIndexByte(info.Key, '_'))], info.Key)
	return info.Key == names.Key(processors.Detect)+".json"
}

// fetch reads a side-car and, if images are copied, its image. It returns neither if the object is no
// side-car.
func (e *exporter) fetch(ctx context.Context, info objects.Info) fetched {
	r := fetched{key: info.Key}
	data, info, err := e.Store.Get(ctx, info.Bucket, info.Key, "", maxSideCarBytes)
	if err == nil && !isSideCar(info) {
		return r
	}
	if err == nil {
		r.annotated, err = parse(info.Key, data)
	}
	if err == nil && e.Images {
		r.image, err = e.image(ctx, r.annotated)
	}
	if errors.Is(err, objects.ErrUnavailable) {
		err = &fatalError{err}
	}
	r.err = err
	return r
}

// image reads an image and checks that it has the size of the side-car.
func (e *exporter) image(ctx context.Context, i *annotated) ([]byte, error) {
	bucket := i.bucket
	if bucket == "" {
		bucket = e.Bucket
	}
	data, _, err := e.Store.Get(ctx, bucket, i.key, i.etag, maxImageBytes)
	if err != nil {
		return nil, fmt.Errorf("its image: %w", err)
	}
	header, err := imaging.ParseHeader(data, imaging.Limits{MaxSide: maxSide, MaxPixels: maxSide * maxSide})
	if err != nil {
		return nil, fmt.Errorf("its image %s: %w", i.key, err)
	}
	width, height := header.Width, header.Height
	if header.Orientation >= 5 { // turned by 90°
		width, height = height, width
	}
	if width != i.width || height != i.height {
		return nil, fmt.Errorf("its image %s has %d×%d pixels, but the boxes are in an image of %d×%d",
			i.key, width, height, i.width, i.height)
	}
	return data, nil
}

// maxSide is above the sides of all images that detect reads.
const maxSide = 1 << 16
