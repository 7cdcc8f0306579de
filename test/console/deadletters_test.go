package console_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/minio/minio-go/v7"
)

// TestDeadLetterIsReplayed: an image that cannot be processed appears among the dead letters with its reason. After its cause is
// gone, a replay completes the execution, and the dead letter is no longer there.
func TestDeadLetterIsReplayed(t *testing.T) {
	system := anySite(t)
	b := system.open(t, "/dead-letters")
	put(t, system, "letters/poison.jpg", "image/jpeg", []byte("dear diary"))
	b.await(`document.querySelector(".fresh li")?.innerText.includes("letters/poison")`)
	b.visit("/dead-letters?prefix=letters/poison")
	b.await(`document.querySelector("section.card h2")?.innerText.includes("text; supported formats are")`)

	full := map[string]string{}
	for i := range 10 { // so that the outcome has no room
		full[fmt.Sprint("tag-", i)] = "x"
	}
	putTagged(t, system, "letters/full.jpg", "image/jpeg", read(t, sample), full)
	for isThere := `document.body.innerText.includes("no room for another tag")`; !get[bool](b, isThere); time.Sleep(time.Second) {
		b.visit("/dead-letters?prefix=letters/full")
	}
	err := store(t, system).RemoveObjectTagging(t.Context(), bucket, "letters/full.jpg", minio.RemoveObjectTaggingOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b.follow(`button[value="group"]`)
	if text := b.text(); !strings.Contains(text, "Nothing has been sent so far") || !strings.Contains(text, "letters/full") {
		t.Fatalf("the dry run says\n%s", text)
	}
	b.audit("the dry run")
	b.follow("button.primary")
	b.await(`document.querySelector("tbody tr")?.innerText.includes("completed")`)
	b.audit("the replay")
	b.visit("/executions?prefix=letters/full")
	b.await(`document.querySelector("tbody .completed")`)
	b.visit("/dead-letters?prefix=letters/full")
	b.await(`document.body.innerText.includes("No dead letter")`)
}

// follow clicks what leads to another page.
func (b *tab) follow(selector string) {
	b.Helper()
	if _, err := chromedp.RunResponse(b.ctx, chromedp.Click(chromedp.CSS(selector))); err != nil {
		b.Fatal(err)
	}
}
