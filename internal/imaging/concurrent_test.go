package imaging_test

import (
	"bytes"
	"flag"
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"

	"imageflow.dev/internal/imaging"
)

// turnedPictures is how many are compared; `make soak` asks for more.
var turnedPictures = flag.Int("pictures", 50, "pictures that are turned in parallel")

// TestConcurrentOutputsAreTheSame: rotation in bimg reads freed memory, which
// shows as a few different pictures among many at once.
func TestConcurrentOutputsAreTheSame(t *testing.T) {
	const workers = 4
	pictures := *turnedPictures
	sources := make([]*imaging.Image, pictures)
	for i := range sources {
		orientation := 2 + i%7
		sources[i] = open(t, withOrientation(asJPEG(t, stored(150+i%101, 100+i%53, orientation)), orientation))
	}
	work := func(i int) ([]byte, error) {
		e, err := sources[i].Resize(t.Context(), 40+i%50, 45, imaging.Quality(i%3), imaging.JPEG)
		return e.Data, err
	}
	want := make([][]byte, pictures)
	for i := range want {
		var err error
		if want[i], err = work(i); err != nil {
			t.Fatal(err)
		}
	}
	var group errgroup.Group
	for range workers {
		group.Go(func() error {
			for i := range pictures {
				got, err := work(i)
				if err != nil {
					return err
				}
				if !bytes.Equal(got, want[i]) {
					return fmt.Errorf("picture %d comes out differently", i)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	t.Logf("%d × %d pictures compared with those made one by one", workers, pictures)
}
