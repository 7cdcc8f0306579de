package console_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long a page may take to show what a test waits for, on a busy machine.
const patience = time.Minute

// tab is a page of a browser of its own: it shares no cookies with other tabs.
type tab struct {
	testing.TB
	ctx  context.Context
	base string // URL of the console

	mu       sync.Mutex
	messages []string        // of the browser's console
	hosts    map[string]bool // that the page sent requests to
	received float64         // bytes
}

// open shows a page of the console at base. When the test ends, the browser's console must be silent, and the pages must
// have sent requests to no other host.
func open(t testing.TB, base, path string) *tab {
	t.Helper()
	b := openAny(t, base, path)
	t.Cleanup(b.checkSilence)
	return b
}

// openAny shows a page of any server.
func openAny(t testing.TB, base, path string) *tab {
	t.Helper()
	b := &tab{TB: t, base: base, hosts: map[string]bool{}}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext(), chromedp.WithListener(b.listen))
	t.Cleanup(cancel)
	b.ctx = ctx
	if err := chromedp.Do(ctx, enableNetwork); err != nil { // not b.do, whose context ends, and with it the page
		t.Fatal(err)
	}
	b.visit(path)
	return b
}

// enableNetwork makes the browser report requests.
func enableNetwork(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
	return cdp.Call(ctx, target, network.Enable, network.EnableParams{})
}

// listen notes what the page does. Chromium reports violations of the policy for content as entries of its log.
func (b *tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		for _, argument := range e.Args {
			b.messages = append(b.messages, fmt.Sprintf("console.%s: %s%s", e.Type, argument.Value, argument.Description))
		}
	case *runtime.EventExceptionThrown:
		b.messages = append(b.messages, fmt.Sprintf("exception: %s %+v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception))
	case *log.EventEntryAdded:
		b.messages = append(b.messages, fmt.Sprintf("%s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL))
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err == nil {
			b.hosts[u.Scheme+"://"+u.Host] = true
		}
	case *network.EventLoadingFinished:
		b.received += e.EncodedDataLength
	}
}

func (b *tab) checkSilence() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, message := range b.messages {
		b.Errorf("the browser's console says: %s", message)
	}
	for host := range b.hosts {
		if host != b.base && host != "data://" {
			b.Errorf("a page sent a request to %s", host)
		}
	}
}

// expect forgets the messages that contain a text, and fails if there is none.
func (b *tab) expect(text string) {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	has := func(message string) bool { return strings.Contains(message, text) }
	if !slices.ContainsFunc(b.messages, has) {
		b.Errorf("the browser's console does not say %q but %q", text, b.messages)
	}
	b.messages = slices.DeleteFunc(b.messages, has)
}

// do runs actions.
func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.Fatal(err)
	}
}

// visit opens another page of the console.
func (b *tab) visit(path string) {
	b.Helper()
	b.do(chromedp.Navigate(b.base + path))
}

// get returns the value of an expression in the page.
func get[T any](b *tab, expression string) T {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.Fatalf("%s: %v", expression, err)
	}
	return v
}

// await waits until an expression in the page is true.
func (b *tab) await(expression string) {
	b.Helper()
	for deadline := time.Now().Add(patience); !get[bool](b, "!!("+expression+")"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("waited in vain for %s\nThe page says:\n%s", expression, b.text())
		}
	}
}

// text returns what the page says.
func (b *tab) text() string {
	b.Helper()
	return get[string](b, "document.body.innerText")
}

// choose chooses files in the form for images.
func (b *tab) choose(files ...string) {
	b.Helper()
	b.do(chromedp.SetUploadFiles(chromedp.CSS(".drop [type=file]"), absolute(b, files)))
}

// absolute returns the paths of files for the browser.
func absolute(t testing.TB, files []string) (all []string) {
	t.Helper()
	for _, file := range files {
		path, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, path)
	}
	return all
}

// prefer makes the browser prefer light or dark colours.
func (b *tab) prefer(scheme string) {
	b.Helper()
	features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features}); err != nil {
		b.Fatal(err)
	}
}

// picture returns a screenshot of an element.
func (b *tab) picture(selector string) image.Image {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	data, err := chromedp.Run(ctx, chromedp.Screenshot(chromedp.CSS(selector)))
	if err != nil {
		b.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		b.Fatal(err)
	}
	return img
}
