package imaging_test

import (
	"image"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func init() {
	deep := func(t *testing.T, w, h int) []byte {
		return fastPNG(t, &image.NRGBA64{Pix: noise(8 * w * h), Stride: 8 * w, Rect: image.Rect(0, 0, w, h)})
	}
	maps.Copy(memorySources, map[string]func(t *testing.T, width, height int) []byte{
		"jxl":                    cjxl(alphaPNG, "-d", "1"),
		"jxl opaque":             cjxl(memorySources["png"], "-d", "1"),
		"jxl lossless":           cjxl(memorySources["png"], "-d", "0"),
		"jxl lossless alpha":     cjxl(alphaPNG, "-d", "0"),
		"jxl lossless alpha 16":  cjxl(deep, "-d", "0"),
		"jxl progressive":        cjxl(alphaPNG, "-d", "1", "-p", "--progressive_dc=1"),
		"jxl squeezed":           cjxl(alphaPNG, "-d", "1", "-m", "1"),
		"jxl squeezed 16":        cjxl(deep, "-d", "0", "-m", "1", "-R", "1"),
		"jxl squeezed opaque":    cjxl(memorySources["png"], "-d", "1", "-m", "1"),
		"jxl progressive opaque": cjxl(memorySources["png"], "-d", "1", "-p", "--progressive_dc=1"),
		"jxl half":               cjxl(alphaPNG, "-d", "25", "--epf=3", "--photon_noise=ISO3200"),
		"jxl half opaque":        cjxl(memorySources["png"], "-d", "25", "--epf=3"),
		"jxl jpeg":               cjxl(noiseJPEG, "-j", "1"),
	})
}

// cjxl encodes an image by the command of libjxl.
func cjxl(source func(t *testing.T, w, h int) []byte, options ...string) func(t *testing.T, w, h int) []byte {
	return func(t *testing.T, w, h int) []byte {
		command, err := exec.LookPath("cjxl")
		if err != nil {
			t.Skip("needs cjxl, in Debian's libjxl-tools")
		}
		from, to := filepath.Join(t.TempDir(), "in"), filepath.Join(t.TempDir(), "out.jxl")
		if err := os.WriteFile(from, source(t, w, h), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(command, append([]string{"-e", "3", from, to}, options...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		data, err := os.ReadFile(to)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
}
