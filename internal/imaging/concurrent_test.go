package imaging_test

import (
	"bytes"
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"

	"imageflow.dev/internal/imaging"
)

// TestConcurrentOutputsAreTheSame: rotation in bimg reads freed memory, which
// shows as a few different pictures among many at once.
func TestConcurrentOutputsAreTheSame(t *testing.T) {
	const pictures, workers = 50, 4
	var sources [8]*imaging.Image
	for i := range sources {
		sources[i] = open(t, withOrientation(asJPEG(t, stored(200+i, 120, 1+i)), 1+i))
	}
	work := func(i int) ([]byte, error) {
		e, err := sources[i%8].Resize(60+i/8, 45, imaging.Quality(i%3), imaging.JPEG)
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
}
