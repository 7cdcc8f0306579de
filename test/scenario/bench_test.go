package scenario

import (
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// benchSteps are the choices on the bench of the console: two sizes, with a filter between them.
const benchSteps = "step=resize&1.target_width=300&step=filter&2.filter_type=FILTER_TYPE_BLUR&2.intensity=2&" +
	"step=resize&3.target_width=90"

// TestBench: the steps that are run on the console's bench leave the chain's outputs alone, its commands work as they are
// copied, and its Triggers make the same outputs of uploads.
func TestBench(t *testing.T) {
	s := local(t, setup{flags: []string{"--allow-unsigned-events"}})
	s.put(t, "uploads/it's $HOME.jpg", "image/jpeg", jpegOf(t, 400, 300))
	s.awaitTag(t, "uploads/it's $HOME.jpg", time.Now().Add(time.Minute))
	before := s.get(t, "uploads/it's $HOME_resize.jpg")

	choices := benchSteps + "&" + url.Values{"key": {"uploads/it's $HOME.jpg"}, "name": {"mine"}, "prefix": {"mine/ü/"}}.Encode()
	page := s.page(t, http.MethodPost, "/bench", choices+"&do=run")
	if got := len(s.keys(t, "console/")); got != 3+2 {
		t.Errorf("%d objects of the bench, want three outputs and two side-cars: %q", got, s.keys(t, "console/"))
	}
	s.runCopies(t, page, map[string]int{"curl": 1, "CloudEvent": 1})
	execution := s.page(t, http.MethodGet, "/execution?"+url.Values{"id": {"uploads/it's $HOME"}}.Encode(), "")
	s.runCopies(t, execution, map[string]int{"curl": 3, "CloudEvent": 3})
	if string(s.get(t, "uploads/it's $HOME_resize.jpg")) != string(before) {
		t.Error("the bench or a command replaced an output of the chain")
	}

	eventing := t.TempDir()
	for name, text := range map[string]string{
		"broker.yaml": readFile(t, "../../eventing/broker.yaml"),
		"mine.yaml":   s.page(t, http.MethodGet, "/bench/triggers.yaml?"+choices, ""),
	} {
		if err := os.WriteFile(filepath.Join(eventing, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = local(t, setup{flags: []string{"--eventing", eventing}})
	s.put(t, "mine/ü/a.jpg", "image/jpeg", jpegOf(t, 400, 300))
	s.awaitTag(t, "mine/ü/a.jpg", time.Now().Add(time.Minute))
	if small := s.sizeOf(t, "mine/ü/a_resize-step-3.jpg"); small.X != 90 {
		t.Errorf("the last output is %v", small)
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// page returns a page of the console.
func (s *system) page(t *testing.T, method, path, form string) string {
	t.Helper()
	req, err := http.NewRequest(method, s.url("gateway", path), strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", path, resp.Status, err)
	}
	return string(text)
}

var copyText = regexp.MustCompile(`(?s)<summary>(curl|CloudEvent)</summary>.*?<pre tabindex="0">(.*?)</pre>`)

// runCopies runs the commands of a page, each of which must answer 200, and counts them.
func (s *system) runCopies(t *testing.T, page string, want map[string]int) {
	t.Helper()
	got := map[string]int{}
	for _, found := range copyText.FindAllStringSubmatch(page, -1) {
		command := html.UnescapeString(found[2]) + ` -o /dev/null -w '%{http_code}'`
		out, err := exec.Command("bash", "-c", command).CombinedOutput()
		if err != nil || !strings.HasSuffix(string(out), "200") {
			t.Errorf("%v %s\n%s", err, out, command)
		}
		got[found[1]]++
	}
	for name, n := range want {
		if got[name] != n {
			t.Errorf("%d commands of %s, want %d", got[name], name, n)
		}
	}
}
