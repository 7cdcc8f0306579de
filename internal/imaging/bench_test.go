package imaging_test

import (
	"os"
	"runtime/debug"
	"testing"

	"imageflow.dev/internal/imaging"
)

func BenchmarkResize(b *testing.B) {
	m := open(b, asJPEG(b, detailed(1920, 1080)))
	for q, name := range []string{"FAST", "GOOD", "BEST"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Resize(b.Context(), 800, 450, imaging.Quality(q), imaging.JPEG); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFootprint reports the growth of the process during decoding, blurring and
// encoding, as a fraction of Footprint.
func BenchmarkFootprint(b *testing.B) {
	const width, height = 3000, 2000
	opaque, clear := detailed(width, height), noisy(width, height)
	for name, data := range map[string][]byte{
		"jpeg": asJPEG(b, opaque), "jpeg turned": withOrientation(asJPEG(b, opaque), 6),
		"png": asPNG(b, opaque), "png with alpha": asPNG(b, clear),
		"webp": encoded(b, opaque, imaging.WebP), "webp with alpha": encoded(b, clear, imaging.WebP),
		"tiff": encoded(b, clear, imaging.TIFF),
	} {
		for _, f := range writable {
			b.Run(name+" to "+string(f), func(b *testing.B) {
				m := open(b, data)
				var largest float64
				for b.Loop() {
					debug.FreeOSMemory()
					// This resets the peak, VmHWM: proc(5).
					if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
						b.Skip(err)
					}
					before := statusOf(b, "VmHWM")
					p, err := m.Pixels(b.Context())
					if err != nil {
						b.Fatal(err)
					}
					if err := p.Blur(b.Context(), 2); err != nil {
						b.Fatal(err)
					}
					if _, err := p.Encode(b.Context(), f); err != nil {
						b.Fatal(err)
					}
					largest = max(largest, float64(statusOf(b, "VmHWM")-before)*1024)
				}
				b.ReportMetric(largest/float64(m.Footprint(f)), "of-footprint")
				b.ReportMetric(largest/width/height, "B/pixel")
			})
		}
	}
}

func BenchmarkScaledTo(b *testing.B) {
	const width, height = 640, 360
	m := open(b, asJPEG(b, detailed(1920, 1080)))
	plane := make([]float32, width*height)
	b.ReportAllocs()
	for b.Loop() {
		to := imaging.Floats{Red: plane, Green: plane, Blue: plane, Stride: width, White: 1}
		if err := m.ScaledTo(b.Context(), width, height, to); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseHeader(b *testing.B) {
	data := asJPEG(b, detailed(1920, 1080))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := imaging.ParseHeader(data, roomy); err != nil {
			b.Fatal(err)
		}
	}
}
