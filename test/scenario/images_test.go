package scenario

import (
	"fmt"
	"image"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestImages: signed URLs have images, which are stored beside the original and found again.
func TestImages(t *testing.T) {
	d := deploy(t, setup{})
	g := startImages(t, d, 50)
	d.place(t, "in/cat.jpg", jpegOf(t, 300, 200))
	t.Run("found again", func(t *testing.T) { g.testFoundAgain(t) })
	t.Run("signatures", func(t *testing.T) { g.testSignatures(t) })
	t.Run("accept", func(t *testing.T) { g.testAccept(t) })
	t.Run("versions", func(t *testing.T) { g.testVersions(t) })
	t.Run("keys", func(t *testing.T) { g.testKeys(t) })
	t.Run("errors", func(t *testing.T) { g.testErrors(t) })
	t.Run("waiters", func(t *testing.T) { g.testWaiters(t) })
	if logs := g.process.output.String(); strings.Contains(logs, imageKey) || strings.Contains(logs, "sig=") {
		t.Error("a log has a key or a signature")
	}
}

func (g *imageGateway) testFoundAgain(t *testing.T) {
	link := g.signed("in/cat.jpg", "preset=small")
	resp, first := fetch(t, "GET", link)
	wantImage(t, resp, first, "image/jpeg", 40)
	want := map[string]string{
		"X-Content-Type-Options": "nosniff", "Vary": "", "Accept-Ranges": "bytes", "Set-Cookie": "", "Content-Disposition": "",
	}
	for name, value := range want {
		if got := resp.Header.Get(name); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
	g.testConditions(t, link, resp, first)
	got, _ := fetch(t, "GET", link, "If-Match", `"other"`)
	if got.StatusCode != 412 || got.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("If-Match: %d %v", got.StatusCode, got.Header)
	}
	for _, value := range []string{"bytes=999999-", "bytes=-0"} {
		got, body := fetch(t, "GET", link, "Range", value)
		says := fmt.Sprintf("Range: the image has %d bytes", len(first))
		if got.StatusCode != 416 || got.Header.Get("Cache-Control") != "no-store" || !strings.Contains(body, says) ||
			got.Header.Get("Content-Type") != "application/json" ||
			got.Header.Get("Content-Range") != fmt.Sprintf("bytes */%d", len(first)) {
			t.Errorf("%s: %d %v %s", value, got.StatusCode, got.Header, body)
		}
	}
	g.checkStored(t)
}

// testConditions checks answers to conditions and ranges, and what they cost the store.
func (g *imageGateway) testConditions(t *testing.T, link string, resp *http.Response, first string) {
	etag := resp.Header.Get("ETag")
	gets, heads := g.gets.Load(), g.heads.Load()
	for _, c := range []struct {
		method string
		header []string
		status int
		body   string
	}{
		{"GET", []string{"If-None-Match", etag}, 304, ""},
		{"HEAD", nil, 200, ""},
		{"GET", []string{"If-Modified-Since", resp.Header.Get("Last-Modified")}, 304, ""},
		{"GET", nil, 200, first},
		{"GET", []string{"Range", "bytes=3-6"}, 206, first[3:7]},
		{"GET", []string{"Range", "bytes=1-2,4-5"}, 200, first},
		{"GET", []string{"If-None-Match", `"other"`}, 200, first},
		{"GET", []string{"Range", "lines=1-2"}, 200, first},
		{"GET", []string{"Range", "bytes=5-3"}, 200, first},
		{"GET", []string{"Range", "Bytes=3-6"}, 206, first[3:7]},
		{"HEAD", []string{"Range", "bytes=3-6"}, 200, ""},
	} {
		got, body := fetch(t, c.method, link, c.header...)
		if got.StatusCode != c.status || body != c.body || got.Header.Get("ETag") != etag {
			t.Errorf("%s %v: %d, %d bytes, %s", c.method, c.header, got.StatusCode, len(body), got.Header.Get("ETag"))
		}
		wantGets := int64(1)
		if c.body == "" {
			wantGets = 0
		}
		if n := g.gets.Swap(gets) - gets; n != wantGets || g.heads.Swap(heads)-heads != 2 {
			t.Errorf("%s %v read %d objects, want %d", c.method, c.header, n, wantGets)
		}
	}
}

// checkStored checks the names in the bucket, and how long caches may keep an image whose URL expires soon.
func (g *imageGateway) checkStored(t *testing.T) {
	t.Helper()
	names := strings.Join(g.keys(t, "in/cat_"), " ")
	if !regexp.MustCompile(`^in/cat_resize-get-[0-9a-f]{24}\.jpg in/cat_resize-get-[0-9a-f]{24}\.json$`).MatchString(names) {
		t.Errorf("in the bucket: %s", names)
	}
	soon := g.sign("in/cat.jpg", time.Now().Add(100*time.Second), "preset=small")
	short, _ := fetch(t, "GET", soon)
	var age int
	if _, err := fmt.Sscanf(short.Header.Get("Cache-Control"), "public, max-age=%d", &age); err != nil || age < 1 || age > 100 {
		t.Errorf("Cache-Control of a URL for 100 s: %q", short.Header.Get("Cache-Control"))
	}
}

func (g *imageGateway) testSignatures(t *testing.T) {
	link := g.signed("in/cat.jpg", "preset=small")
	other := g.signed("in/dog.jpg", "preset=small")
	_, sig, _ := strings.Cut(other, "&sig=")
	path, query, _ := strings.Cut(link, "?")
	parts := strings.Split(query, "&")
	for name, c := range map[string]struct {
		url    string
		status int
		says   string
	}{
		"as signed":                {link, 200, ""},
		"re-ordered":               {path + "?" + parts[2] + "&" + parts[1] + "&" + parts[0], 200, ""},
		"no signature":             {path + "?" + parts[0] + "&" + parts[1], 403, "sig: "},
		"forged":                   {link[:len(link)-3] + "AAA", 403, "sig: "},
		"signature of another key": {path + "?" + parts[0] + "&" + parts[1] + "&sig=" + sig, 403, "sig: "},
		"another preset":           {strings.Replace(link, "small", "card", 1), 403, "sig: "},
		"expired":                  {g.sign("in/cat.jpg", time.Now().Add(-time.Second), "preset=small"), 403, "expires: "},
		"forged and expired":       {g.sign("in/cat.jpg", time.Now().Add(-time.Second), "preset=small") + "x", 403, "sig: "},
	} {
		resp, body := fetch(t, "GET", c.url)
		if resp.StatusCode != c.status || c.says != "" && !strings.Contains(body, `"message":"`+c.says) {
			t.Errorf("%s: %d %.200q", name, resp.StatusCode, body)
		}
		if c.status == 403 && resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: may be cached", name)
		}
	}
}

func (g *imageGateway) testAccept(t *testing.T) {
	g.place(t, "accept/cat.jpg", jpegOf(t, 300, 200))
	for _, c := range []struct{ preset, accept, want, vary string }{
		{"card", "image/avif,image/webp,image/*,*/*;q=0.8", "image/avif", "Accept"},
		{"card", "image/webp,*/*", "image/webp", "Accept"},
		{"card", "image/avif;q=0, image/webp", "image/webp", "Accept"},
		{"card", "*/*", "image/jpeg", "Accept"},
		{"card", "text/html", "image/jpeg", "Accept"},
		{"small", "image/avif", "image/jpeg", ""},
		{"progressive", "image/avif,image/webp", "image/jpeg", "Accept"}, // only JPEG is progressive
	} {
		resp, body := fetch(t, "GET", g.signed("accept/cat.jpg", "preset="+c.preset), "Accept", c.accept)
		wantImage(t, resp, body, c.want, 0)
		if got := resp.Header.Get("Vary"); got != c.vary {
			t.Errorf("%s, %s: Vary %q", c.preset, c.accept, got)
		}
	}
}

func (g *imageGateway) testVersions(t *testing.T) {
	g.place(t, "versions/a.jpg", jpegOf(t, 300, 200))
	link := g.signed("versions/a.jpg", "preset=card")
	resp, body := fetch(t, "GET", link)
	etag := wantImage(t, resp, body, "image/jpeg", 50)
	g.place(t, "versions/a.jpg", jpegOf(t, 200, 300))
	resp, body = fetch(t, "GET", link, "If-None-Match", etag)
	if replaced := wantImage(t, resp, body, "image/jpeg", 50); replaced == etag {
		t.Error("the replaced source has the same ETag")
	}
	if size, _, _ := image.DecodeConfig(strings.NewReader(body)); size.Height != 75 {
		t.Errorf("the replaced source gives %v", size)
	}
	changed := startImages(t, g.deployment, 70)
	resp, body = fetch(t, "GET", changed.signed("versions/a.jpg", "preset=card"))
	wantImage(t, resp, body, "image/jpeg", 70)
	resp, body = fetch(t, "GET", link) // of the old preset, as while gateways are replaced
	wantImage(t, resp, body, "image/jpeg", 50)
}

func (g *imageGateway) testKeys(t *testing.T) {
	long := "long/" + strings.Repeat("k", 160) + ".jpg" // the longest that has room for the names of outputs is near
	for _, key := range []string{
		"keys/a b.jpg", "keys/ü+猫.jpg", "keys/50%2F.jpg", "keys/a+b&c=d;e?f#g.jpg", "keys/noextension", long,
	} {
		g.place(t, key, jpegOf(t, 300, 200))
		resp, body := fetch(t, "GET", g.signed(key, "preset=small"))
		wantImage(t, resp, body, "image/jpeg", 40)
	}
	slash := strings.Replace(g.signed("in/cat.jpg", "preset=small"), "in/cat", "in%2Fcat", 1)
	resp, body := fetch(t, "GET", slash)
	wantImage(t, resp, body, "image/jpeg", 40)
	for key, want := range map[string]int{
		"a%2F..%2Fb.jpg": 400, "in%2F%2Fcat.jpg": 400, "%2E%2E": 400, "": 400, strings.Repeat("k", 1025): 400,
		strings.Repeat("k/", 511) + "kk": 404, "%FF.jpg": 400,
	} {
		plain, _ := url.PathUnescape(key)
		link := strings.Replace(g.signed(plain, "preset=small"), "/v1/images/"+escaped(plain, true), "/v1/images/"+key, 1)
		req, err := http.NewRequest("GET", link, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultTransport.RoundTrip(req) // follows no redirect
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%.40q: %d, want %d", key, resp.StatusCode, want)
		}
	}
}

func (g *imageGateway) testErrors(t *testing.T) {
	g.place(t, "errors/text.jpg", []byte("no image"))
	for link, want := range map[string]string{
		g.signed("errors/none.jpg", "preset=small"):               "404 has no object",
		g.signed("errors/text.jpg", "preset=small"):               "400 ",
		g.signed("in/cat.jpg", "preset=none"):                     "400 preset: there is no ",
		g.signed("in/cat.jpg", "preset=found"):                    "400 preset: ",
		g.signed("in/cat.jpg", "preset=shouted"):                  "400 output_image.content_type: ",
		g.signed("in/cat.jpg"):                                    "400 preset: must be given",
		g.signed("in/cat.jpg", "preset=small", "target_width=99"): "400 IMAGE_OPTIONS",
	} {
		resp, body := fetch(t, "GET", link)
		code, says, _ := strings.Cut(want, " ")
		isJSON := resp.Header.Get("Content-Type") == "application/json"
		if strconv.Itoa(resp.StatusCode) != code || !strings.Contains(body, says) || !isJSON {
			t.Errorf("%s: %d %s, want %s", link, resp.StatusCode, body, want)
		}
	}
	resp, body := fetch(t, "POST", g.signed("in/cat.jpg", "preset=small"))
	if resp.StatusCode != 405 || resp.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d %s", resp.StatusCode, body)
	}
	if resp, _ := fetch(t, "GET", g.base+"/v1/presets"); resp.StatusCode != 401 {
		t.Errorf("other paths need no token: %d", resp.StatusCode)
	}
}
