package filter_test

import (
	"image"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// BenchmarkRedaction1080p reports the CPU time of redactions of a whole image, and of 20 regions in it, as
// a multiple of the blur of the whole image: medians of interleaved runs.
func BenchmarkRedaction1080p(b *testing.B) {
	data, err := os.ReadFile("../../test/images/sample.jpg")
	if err != nil {
		b.Fatal(err)
	}
	m := open(b, data)
	whole := &imageflowv1.Redaction{Boxes: []*imageflowv1.BoundingBox{{X2: 1920, Y2: 1080}}}
	several := &imageflowv1.Redaction{}
	for i := range 20 {
		several.Boxes = append(several.Boxes, boxOf(image.Rect(0, 0, 200, 200).Add(image.Pt(i%5*350, i/5*250))))
	}
	requests := map[string]*request{
		"blur": {FilterType: blur, Intensity: 1}, "BLUR": redacting(blur, whole), "PIXELATE": redacting(pixelate, whole),
		"FILL": redacting(fill, whole), "20-BLUR": redacting(blur, several),
	}
	times := map[string][]time.Duration{}
	for b.Loop() {
		for name, r := range requests {
			start := cpu(b)
			apply(b, m, r)
			times[name] = append(times[name], cpu(b)-start)
		}
	}
	median := func(name string) float64 {
		slices.Sort(times[name])
		return float64(times[name][len(times[name])/2])
	}
	for name := range requests {
		b.ReportMetric(median(name)/median("blur"), name+"/blur")
	}
}

// cpu returns the CPU time of the process.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
