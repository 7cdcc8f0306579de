package imaging_test

import (
	"testing"

	"imageflow.dev/internal/imaging"
)

func BenchmarkResize(b *testing.B) {
	m := open(b, asJPEG(b, detailed(1920, 1080)))
	for q, name := range []string{"FAST", "GOOD", "BEST"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Resize(800, 450, imaging.Quality(q), imaging.JPEG); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLetterbox(b *testing.B) {
	m := open(b, asJPEG(b, detailed(1920, 1080)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := m.Letterbox(640); err != nil {
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
