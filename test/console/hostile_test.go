package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// hostileNames are names of files that would do harm in a page that trusts them.
var hostileNames = []string{
	`<script>window.pwned = 1</script>`,
	`"><img src=x onerror="window.pwned = 1">`,
	`' onmouseover='window.pwned = 1`,
	`{{.}} ${window.pwned = 1} javascript:window.pwned=1`,
	"rtl \u202egnp.exe\u202c \u2067x\u2069 \ufeff",
	"two\nlines\r\tdata: x",
	strings.Repeat(strings.Repeat("long-", 36)+"/", 5), // 905 bytes
}

// TestHostileTexts: keys, and the messages that have them, are inert in every page.
func TestHostileTexts(t *testing.T) {
	system := anySite(t)
	b := system.open(t, "/executions?prefix=hostile/")
	b.await(`document.querySelector("live-region[open]")`)
	image := read(t, sample)
	for i, name := range hostileNames {
		data := image
		if i%2 == 1 {
			data = []byte(name) // a dead letter
		}
		put(t, system, "hostile/"+name+".jpg", "image/jpeg", data)
	}
	b.await(`document.querySelectorAll("tbody .completed, tbody .failed").length >= 7`)
	b.checkInert()
	pages := []string{
		"/executions", "/dead-letters", "/chain", "/models", "/health", "/", "/?prefix=<script>window.pwned=1</script>",
	}
	for _, name := range hostileNames {
		key := "hostile/" + name
		pages = append(pages, "/execution?"+url.Values{"id": {key}}.Encode(), "/executions?"+url.Values{"prefix": {key}}.Encode(),
			"/executions?"+url.Values{"since": {name}}.Encode(), "/bench?"+url.Values{"key": {key + ".jpg"}}.Encode(),
			"/dead-letters?"+url.Values{"prefix": {key}}.Encode(), "/"+url.PathEscape(name),
			"/login?"+url.Values{"next": {name}}.Encode())
	}
	for _, page := range pages {
		b.visit(page)
		b.checkInert()
	}
	b.forget("Failed to load resource") // of pages that do not exist
}

// findScripts returns the elements of a page that run something, or would without the policy. The pages' own scripts may
// set styles.
const findScripts = `[...document.querySelectorAll("*")].filter((element) => {
	const names = element.getAttributeNames();
	return element.localName === "script" && !element.src || names.some((name) => name.startsWith("on")) ||
		names.includes("style") && !element.closest("image-compare") ||
		/^(javascript|data):/i.test(element.getAttribute("href") ?? element.getAttribute("src") ?? "");
}).map((element) => element.outerHTML.slice(0, 200))`

// checkInert fails if a text of the page became more than a text.
func (b *tab) checkInert() {
	b.Helper()
	where := get[string](b, `location.href`)
	if get[bool](b, `"pwned" in window`) {
		b.Errorf("%.200s: a script of a stranger ran", where)
	}
	if found := get[[]string](b, findScripts); len(found) > 0 {
		b.Errorf("%.200s has %q", where, found)
	}
	if text := b.text(); strings.ContainsAny(text, "\u202e\u202c\u2067\u2069\ufeff") {
		b.Errorf("%.200s has characters that turn the direction of writing", where)
	}
	if n := get[int](b, `document.documentElement.scrollWidth - innerWidth`); n > 0 {
		b.Errorf("%.200s is %d pixels wider than the window", where, n)
	}
}

// TestOtherSites: a page of another site can neither send images nor replay dead letters.
func TestOtherSites(t *testing.T) {
	system := local(t, nil)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<!doctype html><form method="post" enctype="multipart/form-data" action="`+system.url+r.URL.Path+`">
			<input name="sample" value="desk.jpg"><button>Send</button></form>`)
	}))
	defer other.Close()
	for _, site := range []string{other.URL, strings.Replace(other.URL, "127.0.0.1", "localhost", 1)} {
		for _, path := range []string{"/upload", "/dead-letters/replay", "/bench", "/login"} {
			b := openAny(t, site, path)
			answer, err := chromedp.RunResponse(b.ctx, chromedp.Click(chromedp.CSS("button")))
			if err != nil {
				t.Fatal(err)
			}
			if answer.Status != http.StatusForbidden {
				t.Errorf("a form of %s for %s was answered with %d, want 403", site, path, answer.Status)
			}
		}
	}
	b := system.open(t, "/executions")
	if n := get[int](b, `document.querySelectorAll("tbody tr").length`); n > 0 {
		t.Errorf("%d executions began", n)
	}
}

// TestObjectsAreNotPages: what people upload runs nothing, whatever type it claims.
func TestObjectsAreNotPages(t *testing.T) {
	system := local(t, nil)
	b := system.open(t, "/")
	page := []byte(`<!doctype html><script>window.pwned = 1; fetch("/executions")</script><p>page</p>`)
	drawing := []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>window.pwned = 1</script></svg>`)
	for _, c := range []struct {
		key, contentType string
		data             []byte
		status           int
	}{
		{"other/page.html", "text/html", page, http.StatusUnsupportedMediaType},
		{"other/page.svg", "image/svg+xml", drawing, http.StatusUnsupportedMediaType},
		{"other/page.xml", "application/xhtml+xml", drawing, http.StatusUnsupportedMediaType},
		{"other/page.png", "image/png", page, http.StatusOK},
		{"other/page.json", "application/json", page, http.StatusOK},
		{"other/page.gif", "image/gif; charset=x", append([]byte("GIF89a=1;/*"), page...), http.StatusOK},
	} {
		put(t, system, c.key, c.contentType, c.data)
		path := "/object?" + url.Values{"key": {c.key}}.Encode()
		header, status := head(t, system.url+path)
		if status != c.status {
			t.Errorf("%s is answered with %d, want %d", c.key, status, c.status)
		}
		if status == http.StatusOK && (!strings.Contains(header.Get("Content-Security-Policy"), "sandbox") ||
			header.Get("X-Content-Type-Options") != "nosniff") {
			t.Errorf("%s has the headers %v", c.key, header)
		}
		b.visit(path)
		if get[bool](b, `"pwned" in window`) {
			t.Errorf("a script of %s ran", c.key)
		}
	}
	b.forget("415")
}

// head returns the headers and the status of an answer.
func head(t testing.TB, address string) (http.Header, int) {
	t.Helper()
	answer, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.Header, answer.StatusCode
}

// forget drops the messages of the browser's console that contain a text.
func (b *tab) forget(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages = slices.DeleteFunc(b.messages, func(message string) bool { return strings.Contains(message, text) })
}
