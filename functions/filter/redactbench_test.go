package filter_test

import (
	"image"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// BenchmarkRedaction1080p compares redactions of a JPEG, whose planes change.
func BenchmarkRedaction1080p(b *testing.B) {
	compareWithBlur(b, readFile(b, "../../test/images/sample.jpg"))
}

// BenchmarkRedactionP3 compares redactions of a JPEG in Display P3, which becomes pixels of sRGB.
func BenchmarkRedactionP3(b *testing.B) {
	m := open(b, readFile(b, "../../test/images/sample.jpg"))
	m.Encoding.Profile = imaging.DisplayP3
	out, err := m.Convert(b.Context(), imaging.JPEG)
	if err != nil {
		b.Fatal(err)
	}
	compareWithBlur(b, out.Data)
}

// BenchmarkRedactionFile compares redactions of the image in the file IMAGE.
func BenchmarkRedactionFile(b *testing.B) {
	if os.Getenv("IMAGE") == "" {
		b.Skip("set IMAGE to the path of an image")
	}
	compareWithBlur(b, readFile(b, os.Getenv("IMAGE")))
}

func readFile(b *testing.B, path string) []byte {
	b.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	return data
}

// compareWithBlur reports the CPU time of redactions of a whole image, of 20 regions and of 6 faces in it, as a
// multiple of the blur of the whole image: medians of interleaved runs.
func compareWithBlur(b *testing.B, data []byte) {
	m := open(b, data)
	width, height := m.Size()
	regions := func(columns, rows int, size image.Point) *imageflowv1.Redaction {
		r := &imageflowv1.Redaction{}
		for i := range columns * rows {
			at := image.Pt(i%columns*width/columns, i/columns*height/rows)
			r.Boxes = append(r.Boxes, boxOf(image.Rectangle{at, at.Add(size)}))
		}
		return r
	}
	whole := regions(1, 1, image.Pt(width, height))
	several := regions(5, 4, image.Pt(width/10, width/10))
	faces := regions(3, 2, image.Pt(width/10, width/10))
	faces.Shape, faces.Margin = ellipse, 0.1
	requests := map[string]*request{
		"blur": {FilterType: blur, Intensity: 1}, "BLUR": redacting(blur, whole), "PIXELATE": redacting(pixelate, whole),
		"FILL": redacting(fill, whole), "20-BLUR": redacting(blur, several), "6-faces": redacting(pixelate, faces),
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
	b.ReportMetric(median("blur")/1e6, "blur-ms")
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
