package imaging_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/h2non/bimg"

	"imageflow.dev/internal/imaging"
)

func init() {
	maps.Copy(memorySources, map[string]func(t *testing.T, width, height int) []byte{
		"avif": func(t *testing.T, w, h int) []byte { return noiseAVIF(t, w, h, 3, imaging.Encoding{}) },
		"avif 4:4:4": func(t *testing.T, w, h int) []byte {
			return noiseAVIF(t, w, h, 3, imaging.Encoding{Chroma: imaging.Chroma444})
		},
		"avif alpha": func(t *testing.T, w, h int) []byte { return noiseAVIF(t, w, h, 4, imaging.Encoding{}) },
		"avif 12":    avifenc("-y", "444", "-d", "12"),
		"avif grid":  avifenc("-y", "420", "-g", "2x2"),
		"heic":       rewritten(bimg.Options{Type: bimg.HEIF}),
	})
}

func noiseAVIF(t *testing.T, w, h, channels int, e imaging.Encoding) []byte {
	m := open(t, fastPNG(t, opaque(w, h)))
	if channels == 4 {
		m = open(t, alphaPNG(t, w, h))
	}
	m.Encoding = e
	out, err := m.Convert(t.Context(), imaging.AVIF)
	if err != nil {
		t.Fatal(err)
	}
	return out.Data
}

// avifenc encodes noise with alpha by the command of libavif.
func avifenc(options ...string) func(t *testing.T, w, h int) []byte {
	return func(t *testing.T, w, h int) []byte {
		command, err := exec.LookPath("avifenc")
		if err != nil {
			t.Skip("needs avifenc, in Debian's libavif-bin")
		}
		from, to := filepath.Join(t.TempDir(), "in.png"), filepath.Join(t.TempDir(), "out.avif")
		if err := os.WriteFile(from, alphaPNG(t, w/4*4, h/4*4), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(command, append(options, "-s", "10", from, to)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		data, err := os.ReadFile(to)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
}
