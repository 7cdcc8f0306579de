package console_test

import (
	"bytes"
	"flag"
	"fmt"
	"image"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

var picturesFolder = flag.String("pictures", "", "write pictures of the pages into this `folder`")

// TestPictures makes the pictures in docs/console: each page, light and dark, and an image that moves through the chain.
func TestPictures(t *testing.T) {
	if *picturesFolder == "" {
		t.Skip("only for documentation (make console-pictures)")
	}
	system := local(t, nil)
	b := system.open(t, "/")
	b.prefer("light")
	b.record(filepath.Join(*picturesFolder, "try.gif"), func() {
		for i, name := range []string{"desk", "kitchen", "yard"} {
			b.do(chromedp.Click(chromedp.CSS(fmt.Sprintf("[value=%q]", name+".jpg"))))
			b.await(fmt.Sprintf(`document.querySelectorAll(".card").length > %d && %s`, i, isDone))
			time.Sleep(1500 * time.Millisecond)
		}
	})
	put(t, system, "uploads/broken.jpg", "image/jpeg", []byte("dear diary"))
	put(t, system, "uploads/kitchen.jpg", "image/jpeg", read(t, root+"/internal/console/static/samples/kitchen.jpg"))
	b.visit("/executions")
	b.await(`document.querySelectorAll("tbody .completed").length === 4 && document.querySelector("tbody .failed")`)
	for name, path := range map[string]string{
		"try": "/", "executions": "/executions", "execution": "/execution?id=uploads/kitchen", "dead-letters": "/dead-letters",
		"chain": "/chain", "bench": "/bench?key=uploads/kitchen.jpg", "models": "/models", "health": "/health",
	} {
		for _, scheme := range []string{"light", "dark"} {
			b.visit(path)
			b.prefer(scheme)
			if name == "execution" {
				b.await(`document.querySelector(".detections .count").innerText.includes("shown")`)
			}
			b.await(`[...document.images].every((image) =>
				image.complete || !image.checkVisibility() || image.getBoundingClientRect().top > innerHeight)`)
			b.write(filepath.Join(*picturesFolder, name+"-"+scheme+".webp"))
		}
	}
}

// write writes what the window shows as a WebP file.
func (b *tab) write(file string) {
	b.Helper()
	time.Sleep(300 * time.Millisecond) // of animations
	quality := int64(80)
	shot, err := chromedp.Call(b.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: "webp", Quality: &quality})
	if err != nil {
		b.Fatal(err)
	}
	if len(shot.Data) > 150_000 {
		b.Errorf("%s has %d bytes", file, len(shot.Data))
	}
	if err := os.WriteFile(file, shot.Data, 0o644); err != nil {
		b.Fatal(err)
	}
}

// record writes what the page shows while something happens as an animation, 800 pixels wide.
func (b *tab) record(file string, happens func()) {
	b.Helper()
	film, done := &animation{}, make(chan struct{})
	go func() {
		defer close(done)
		happens()
	}()
	clip := &page.Viewport{Width: 1200, Height: 750, Scale: 2. / 3}
	for isOver := false; !isOver; {
		select {
		case <-done:
			isOver = true
		case <-time.After(20 * time.Millisecond):
		}
		shot, err := chromedp.Call(b.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: "png", Clip: clip})
		if err != nil {
			b.Fatal(err)
		}
		film.add(b, shot.Data, time.Now())
	}
	var data bytes.Buffer
	if err := gif.EncodeAll(&data, &film.GIF); err != nil {
		b.Fatal(err)
	}
	if data.Len() > 1e6 || len(film.Image) < 4 {
		b.Errorf("%s has %d bytes and %d frames", file, data.Len(), len(film.Image))
	}
	if err := os.WriteFile(file, data.Bytes(), 0o644); err != nil {
		b.Fatal(err)
	}
}

// animation is a GIF in the making.
type animation struct {
	gif.GIF
	last time.Time
}

// add adds a frame. The one before it stays until now, and the last one for two seconds.
func (a *animation) add(t testing.TB, data []byte, at time.Time) {
	frame, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Error(err)
		return
	}
	paletted := image.NewPaletted(frame.Bounds(), palette.Plan9)
	draw.Draw(paletted, paletted.Bounds(), frame, frame.Bounds().Min, draw.Src)
	n := len(a.Delay)
	if n > 0 && bytes.Equal(a.Image[n-1].Pix, paletted.Pix) {
		return
	}
	if n > 0 {
		a.Delay[n-1] = max(5, int(at.Sub(a.last).Milliseconds()/10))
	}
	a.Image, a.Delay, a.last = append(a.Image, paletted), append(a.Delay, 200), at
}
