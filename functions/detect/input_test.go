package detect_test

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"imageflow.dev/functions/detect"
	"imageflow.dev/internal/imaging"
)

// BenchmarkInput makes the input of a model of 640 pixels from the bytes of a JPEG. It reports
// the CPU time, which counts all threads.
func BenchmarkInput(b *testing.B) {
	large, err := os.ReadFile(filepath.Join("..", "..", "test", "images", "sample.jpg"))
	if err != nil {
		b.Fatal(err)
	}
	small, err := open(b, large).Resize(b.Context(), 640, 360, imaging.Good, imaging.JPEG)
	if err != nil {
		b.Fatal(err)
	}
	triangle, bilinear := detect.NewInput(b, 640, 640, imaging.Triangle), detect.NewInput(b, 640, 640, imaging.Bilinear)
	for _, c := range []struct {
		name      string
		data      []byte
		makeInput func(context.Context, *imaging.Image) error
	}{
		{"1920×1080/antialiased", large, triangle}, {"1920×1080/bilinear", large, bilinear},
		{"640×360/antialiased", small.Data, triangle}, {"640×360/bilinear", small.Data, bilinear},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			start := cpuTime()
			for b.Loop() {
				if err := c.makeInput(b.Context(), open(b, c.data)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric((cpuTime()-start)/float64(b.N), "cpu-ms/op")
		})
	}
}

// cpuTime returns the CPU time of the process in milliseconds.
func cpuTime() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e6
}
