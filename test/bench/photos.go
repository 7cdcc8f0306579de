package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"imageflow.dev/internal/imaging"
)

// named is a task with a name for the tables.
type named struct {
	name string
	task task
}

// photos finds images by name in three folders: of this repository, of bimg, and of
// generated images.
type photos struct{ ours, bimgs, generated string }

// gather finds the test images of bimg, and generates a JPEG and an AVIF of 12 MP, a PNG of 3 MP and
// a WebP of 2 MP. They have no profile, since vips_thumbnail and bimg would not apply it.
func gather(dir string) (photos, error) {
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/h2non/bimg").Output()
	p := photos{"../images", filepath.Join(strings.TrimSpace(string(module)), "testdata"), dir}
	if err != nil {
		return p, fmt.Errorf("finding bimg: %w", err)
	}
	data, err := os.ReadFile(p.path("test_exif_full.jpg"))
	if err != nil {
		return p, err
	}
	data = withoutMetadata(data)
	if err := os.WriteFile(p.path("12mp.jpg"), data, 0o600); err != nil {
		return p, err
	}
	if err := p.resized("12mp.jpg", 2048, 1536, "3mp.png", imaging.PNG); err != nil {
		return p, err
	}
	if err := p.resized("12mp.jpg", 4032, 3024, "12mp.avif", imaging.AVIF); err != nil {
		return p, err
	}
	if err := p.animated("northern_cardinal_bird.jpg", 50, "50.webp"); err != nil {
		return p, err
	}
	return p, p.resized("northern_cardinal_bird.jpg", 1920, 1080, "1080p.webp", imaging.WebP)
}

// resized writes an image in another size or format.
func (p photos) resized(from string, width, height int, to string, f imaging.Format) error {
	data, err := os.ReadFile(p.path(from))
	if err != nil {
		return err
	}
	m, err := imaging.Open(data, limits)
	if err != nil {
		return err
	}
	out, err := m.Resize(context.Background(), width, height, imaging.Best, f)
	if err != nil {
		return err
	}
	return os.WriteFile(p.path(to), out.Data, 0o600)
}

// sampled writes a JPEG with colours of one sample for this many pixels across.
func (p photos) sampled(from string, across int) (string, error) {
	m, err := decode(from)
	if err != nil {
		return "", err
	}
	data, err := sampledJPEG(toYCC(m), across)
	if err != nil {
		return "", err
	}
	to := filepath.Join(p.generated, fmt.Sprintf("%d-%s", across, filepath.Base(from)))
	return to, os.WriteFile(to, data, 0o600)
}

// withoutMetadata removes the application segments of a JPEG.
func withoutMetadata(jpeg []byte) []byte {
	out, at := jpeg[:2:2], 2
	for jpeg[at+1] != 0xda { // start of scan
		end := at + 2 + int(binary.BigEndian.Uint16(jpeg[at+2:]))
		if kind := jpeg[at+1]; kind < 0xe1 || kind > 0xef {
			out = append(out, jpeg[at:end]...)
		}
		at = end
	}
	return append(out, jpeg[at:]...)
}

var limits = imaging.Limits{MaxSide: 16383, MaxPixels: 50_000_000}

func (p photos) path(name string) string {
	for _, dir := range []string{p.ours, p.bimgs} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return filepath.Join(dir, name)
		}
	}
	return filepath.Join(p.generated, name)
}

// resizes returns the tasks that every build of this repository can do.
func (p photos) resizes() []named {
	return []named{
		{"12 MP JPEG → 800×600", task{p.path("12mp.jpg"), 800, 600, imaging.JPEG, 4, stretch, ""}},
		{"1080p JPEG → 800×450", task{p.path("northern_cardinal_bird.jpg"), 800, 450, imaging.JPEG, 4, stretch, ""}},
		{"3 MP PNG → 800×600", task{p.path("3mp.png"), 800, 600, imaging.PNG, 8, stretch, ""}},
		{"1080p WebP → 800×450", task{p.path("1080p.webp"), 800, 450, imaging.WebP, 8, stretch, ""}},
	}
}

// tasks returns the tasks of the speed comparison.
func (p photos) tasks() []named {
	return append(p.resizes(), []named{
		{"12 MP AVIF → 800×600 JPEG", task{p.path("12mp.avif"), 800, 600, imaging.JPEG, 8, stretch, ""}},
		{"12 MP JPEG → 600×600, attention", task{p.path("12mp.jpg"), 600, 600, imaging.JPEG, 4, attention, ""}},
		{"1080p JPEG → 400×400, attention", task{p.path("northern_cardinal_bird.jpg"), 400, 400, imaging.JPEG, 4, attention, ""}},
		{"3 MP PNG → 600×600, attention", task{p.path("3mp.png"), 600, 600, imaging.PNG, 8, attention, ""}},
		{"animated WebP, 50 frames of 480×270 → 320×180", task{p.path("50.webp"), 320, 180, imaging.WebP, 8, animation, ""}},
	}...)
}
