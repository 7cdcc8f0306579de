package console

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// useManifest makes an example the only manifest of a folder.
func useManifest(t *testing.T, dir, name string) {
	t.Helper()
	text, err := os.ReadFile(eventing + "/examples/" + name)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "a.yaml"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestChain_live: an open page gets the drawing and the list when figures change, at most once a second, and loads itself again
// when the Triggers have changed.
func TestChain_live(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		useManifest(t, dir, "thumbnails.yaml")
		other, _ := os.ReadFile(eventing + "/examples/crop-to-objects.yaml")
		_ = os.WriteFile(filepath.Join(dir, "b.yaml"), other, 0o600) // its chain does not change, so it is sent once
		s := chainConsole(t, gatewayOf(t, dir))
		h := &history{t: t, feed: s.feed, now: time.Now()}
		live := drawnBy(t, s).Live()
		ctx, leave := context.WithCancel(t.Context())
		w, ended := httptest.NewRecorder(), make(chan bool)
		go func() {
			defer close(ended)
			s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, live, nil).WithContext(ctx))
		}()
		time.Sleep(5500 * time.Millisecond)
		for i := range 20 {
			h.now = time.Now()
			h.end(h.upload("thumbnails/"+strings.Repeat("x", i+1)), &imageflowv1.ExecutionFailure{Code: 503})
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(5 * time.Second)
		useManifest(t, dir, "sizes.yaml")
		time.Sleep(5 * time.Second)
		leave()
		<-ended
		text := w.Body.String()
		if n := strings.Count(text, "data: <svg"); n < 3 || n > 5 || strings.Count(text, "data: <ol") != n {
			t.Errorf("%d drawings", n)
		}
		same := `data: <svg id="` + domID("c", "image-processing/default", "focus") + `"`
		if n := strings.Count(text, same); n != 1 {
			t.Errorf("the chain without events was sent %d times", n)
		}
		if last := text[strings.LastIndex(text, "data: <ol"):]; !strings.Contains(last, "0 ended well, 20 failed") ||
			!strings.Contains(last, reloadEvent) {
			t.Errorf("the page got at last %s", last)
		}
	})
}
