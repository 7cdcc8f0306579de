package console_test

import (
	"os"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestAccessible: axe-core finds nothing that keeps people from using a page, light or dark, with images and without.
func TestAccessible(t *testing.T) {
	if axe == "" {
		t.Skip("axe-core is not at hand (make console-test fetches it)")
	}
	system := local(t, []string{"GATEWAY_TOKEN="})
	b := system.open(t, "/")
	put(t, system, "uploads/bad.jpg", "image/jpeg", []byte("dear diary"))
	b.choose(sample)
	b.await(isDone)
	b.audit("the first page with an image")
	for _, page := range []string{
		"/", "/executions", "/execution?id=uploads/bad", "/dead-letters", "/chain", "/bench", "/models", "/health", "/login",
		"/nothing",
	} {
		b.visit(page)
		b.audit(page)
	}
	b.forget("404")
}

// axe is the file of axe-core; empty if it is not at hand.
var axe = os.Getenv("AXE")

// audit runs axe-core in the page, light and dark, if it is at hand.
func (b *tab) audit(name string) {
	b.Helper()
	if axe == "" {
		return
	}
	b.do(chromedp.Evaluate[chromedp.Void](string(read(b, axe))))
	for _, scheme := range []string{"light", "dark"} {
		b.prefer(scheme)
		for _, found := range get[[]string](b, `axe.run({resultTypes: ["violations"]}).then(({violations}) => violations.map((v) =>
			v.id + ": " + v.help + " " + v.nodes.map((node) => node.html + " " + node.failureSummary).join(" ").slice(0, 600)))`) {
			b.Errorf("%s, %s: %s", name, scheme, found)
		}
	}
}

// TestFirstPageIsSmall: without images, the first page takes at most 60 kB of the network.
func TestFirstPageIsSmall(t *testing.T) {
	system := local(t, nil)
	b := system.open(t, "/")
	b.await(`document.readyState === "complete" && [...document.images].every((image) => image.complete)`)
	images := get[float64](b, `performance.getEntriesByType("resource").filter((entry) => entry.name.includes("/static/samples/"))
		.reduce((sum, entry) => sum + entry.transferSize, 0)`)
	b.mu.Lock()
	defer b.mu.Unlock()
	if size := b.received - images; size > 60_000 || size < 1000 {
		t.Errorf("the first page takes %.0f bytes, want at most 60,000", size)
	} else {
		t.Logf("%.0f bytes", size)
	}
}
