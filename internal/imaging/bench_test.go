package imaging_test

import (
	"image"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"syscall"
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
		if err := m.ScaledTo(b.Context(), width, height, imaging.Fast, to); err != nil {
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

// BenchmarkRenditions compares the CPU time of three outputs that share a decoding with that of three that are made
// alone. The rounds alternate.
func BenchmarkRenditions(b *testing.B) {
	photo := grainy(4000, 3000)
	for name, data := range map[string][]byte{
		"12 MP JPEG": asJPEG(b, photo), "12 MP PNG": asPNG(b, photo), "1080p JPEG": asJPEG(b, grainy(1920, 1080)),
	} {
		b.Run(name, func(b *testing.B) {
			m := open(b, data)
			var together, alone []float64
			for b.Loop() {
				share := &imaging.Share{}
				for _, w := range renditionWidths {
					share.Serve(m, m.Whole(), w, m.Height*w/m.Width, imaging.Good, m.Format)
				}
				together = append(together, resizeAll(b, m.With(share)))
				alone = append(alone, resizeAll(b, m))
			}
			slices.Sort(together)
			slices.Sort(alone)
			one, three := together[len(together)/2], alone[len(alone)/2]
			b.ReportMetric(one, "cpu-ms/op")
			b.ReportMetric(one/three, "of-three")
		})
	}
}

// grainy returns an image whose JPEG takes as many bytes as a photograph's, and as much time to decode.
func grainy(width, height int) *image.NRGBA {
	m, random := detailed(width, height), rand.New(rand.NewPCG(1, 2))
	for i := 0; i < len(m.Pix); i += 4 {
		grain := random.IntN(13) - 6
		for c := range 3 {
			m.Pix[i+c] = uint8(min(max(0, int(m.Pix[i+c])+grain), 255))
		}
	}
	return m
}

var renditionWidths = []int{1600, 800, 200}

// resizeAll returns the CPU time of three outputs in milliseconds.
func resizeAll(b *testing.B, m *imaging.Image) float64 {
	runtime.GC()
	before := usedMilliseconds(b)
	for _, w := range renditionWidths {
		if _, err := m.Resize(b.Context(), w, m.Height*w/m.Width, imaging.Good, m.Format); err != nil {
			b.Fatal(err)
		}
	}
	return usedMilliseconds(b) - before
}

// usedMilliseconds returns the CPU time of the process in milliseconds.
func usedMilliseconds(b *testing.B) float64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e6
}
