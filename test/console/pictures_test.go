package console_test

import (
	"bytes"
	"context"
	"flag"
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
	b := open(t, system.Gateway, "/")
	b.prefer("light")
	b.record(filepath.Join(*picturesFolder, "try.gif"), func() {
		b.do(chromedp.Click(chromedp.CSS(`[value="desk.jpg"]`)))
		b.await(isDone)
		time.Sleep(time.Second)
	})
	put(t, system, "uploads/broken.jpg", "image/jpeg", []byte("dear diary"))
	put(t, system, "uploads/kitchen.jpg", "image/jpeg", read(t, root+"/internal/console/static/samples/kitchen.jpg"))
	b.visit("/executions")
	b.await(`document.querySelectorAll("tbody .completed").length === 2 && document.querySelector("tbody .failed")`)
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
				image.complete || image.getBoundingClientRect().top > innerHeight)`)
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
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	frames := chromedp.Events(ctx, page.ScreencastFrame)
	film := &animation{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for frame, err := range frames {
			if err != nil {
				return
			}
			film.add(b, frame.Data, time.Now())
			_, _ = chromedp.Call(ctx, page.ScreencastFrameAck, page.ScreencastFrameAckParams{SessionID: frame.SessionID})
		}
	}()
	if _, err := chromedp.Call(ctx, page.StartScreencast, page.StartScreencastParams{Format: "png", MaxWidth: 800}); err != nil {
		b.Fatal(err)
	}
	happens()
	cancel()
	<-done
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
	if n := len(a.Delay); n > 0 {
		a.Delay[n-1] = max(5, int(at.Sub(a.last).Milliseconds()/10))
	}
	a.Image, a.Delay, a.last = append(a.Image, paletted), append(a.Delay, 200), at
}
