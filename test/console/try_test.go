package console_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

const sample = "../images/sample.jpg"

// isDone is true in a page on whose first card every stage of the chain is shown with its image loaded.
const isDone = `["upload", "resize", "detect", "filter"].every((title) =>
	document.querySelector('.card .image[data-title="' + title + '"] img')?.naturalWidth > 0) &&
	document.querySelector(".card .status.completed")`

// TestImagesAreFollowed: the stages of images that are chosen or dropped appear without a reload.
func TestImagesAreFollowed(t *testing.T) {
	for name, send := range map[string]func(*tab){
		"choose": func(b *tab) { b.choose(sample) },
		"drop":   func(b *tab) { b.drop(sample) },
	} {
		t.Run(name, func(t *testing.T) {
			b := anySite(t).open(t, "/")
			get[bool](b, "window.isFirstPage = true")
			send(b)
			b.await(isDone)
			if !get[bool](b, "window.isFirstPage === true") {
				t.Error("the page was loaded again")
			}
		})
	}
}

// TestManyImages: a page follows more images than a browser has connections to one host.
func TestManyImages(t *testing.T) {
	b := anySite(t).open(t, "/")
	b.choose(sample, sample, sample, sample, sample, sample, sample, sample)
	b.await(`document.querySelectorAll(".card .status.completed").length === 8`)
	b.await(`[...document.querySelectorAll(".card")].every((card) => card.querySelectorAll(".image").length === 4)`)
}

// TestImagesThatFailAreNamed: of several images, those that cannot be sent are named, whatever becomes of the others.
func TestImagesThatFailAreNamed(t *testing.T) {
	system := local(t, []string{"MAX_OBJECT_BYTES=200000"})
	b := system.open(t, "/")
	var files []string
	for _, name := range []string{"first.jpg", "last.jpg"} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, make([]byte, 210_000), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, path)
	}
	b.choose(files[0], sample, files[1])
	b.await(isDone)
	b.await(`["first.jpg", "last.jpg"].every((name) =>
		document.querySelector("[data-error]:not([hidden])")?.textContent.includes(name))`)
	b.expect("400 (Bad Request)")
}

// drop drops files on the form for images.
func (b *tab) drop(files ...string) {
	b.Helper()
	at := get[[]float64](b, `(() => { const r = document.querySelector(".drop").getBoundingClientRect();
		return [r.x + r.width / 2, r.y + r.height / 2]; })()`)
	data := &input.DragData{Items: []*input.DragDataItem{}, Files: absolute(b, files), DragOperationsMask: 1}
	for _, phase := range []input.DispatchDragEventType{"dragEnter", "dragOver", "drop"} {
		params := input.DispatchDragEventParams{Type: phase, X: at[0], Y: at[1], Data: data}
		if _, err := chromedp.Call(b.ctx, input.DispatchDragEvent, params); err != nil {
			b.Fatal(err)
		}
	}
}

// TestExecutionsAreFiltered: the list shows an execution as it happens, and only those that the filter selects.
func TestExecutionsAreFiltered(t *testing.T) {
	system := anySite(t)
	b := system.open(t, "/executions?prefix=filtered/")
	b.await(`document.querySelector("live-region[open]")`)
	put(t, system, "filtered/one.jpg", "image/jpeg", read(t, sample))
	put(t, system, "filtered/two.jpg", "image/jpeg", []byte("dear diary"))
	b.await(`[...document.querySelectorAll("tbody tr")].some((row) =>
		row.innerText.includes("filtered/one") && row.querySelector(".completed"))`)
	b.await(`[...document.querySelectorAll("tbody tr")].some((row) =>
		row.innerText.includes("filtered/two") && row.querySelector(".failed"))`)
	for query, want := range map[string]string{
		"/&status=failed": "filtered/two", "/&step=filter": "filtered/one", "/o": "filtered/one", "/nothing": "",
	} {
		b.visit("/executions?prefix=filtered" + query)
		got := get[string](b, `[...document.querySelectorAll("tbody tr .key")].map((key) => key.innerText).join()`)
		if got != want {
			t.Errorf("%s: the list has %q, want %q", query, got, want)
		}
	}
}
