package imaging_test

import (
	"bytes"
	"flag"
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"

	"imageflow.dev/internal/imaging"
)

// turnedImages is the number of compared images; `make soak` compares more.
var turnedImages = flag.Int("images", 50, "number of images that TestConcurrentOutputsAreTheSame turns in parallel")

// TestConcurrentOutputsAreTheSame compares images turned in parallel with the same images
// turned one by one. Rotation in bimg, for example, reads freed memory, which changes a few
// of many images.
func TestConcurrentOutputsAreTheSame(t *testing.T) {
	const workers = 4
	images := *turnedImages
	sources := make([]*imaging.Image, images)
	for i := range sources {
		orientation := 2 + i%7
		sources[i] = open(t, withOrientation(asJPEG(t, stored(150+i%101, 100+i%53, orientation)), orientation))
	}
	work := func(i int) ([]byte, error) {
		e, err := sources[i].Resize(t.Context(), 40+i%50, 45, imaging.Quality(i%3), imaging.JPEG)
		return e.Data, err
	}
	want := make([][]byte, images)
	for i := range want {
		var err error
		if want[i], err = work(i); err != nil {
			t.Fatal(err)
		}
	}
	var group errgroup.Group
	for range workers {
		group.Go(func() error {
			for i := range images {
				got, err := work(i)
				if err != nil {
					return err
				}
				if !bytes.Equal(got, want[i]) {
					return fmt.Errorf("image %d differs from the one made alone", i)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	t.Logf("compared %d × %d images with those made one by one", workers, images)
}
