package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/grpc"

	"imageflow.dev/internal/console"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/gateway"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/stores"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const (
	imageBucket  = "imageflow-files"
	letterBucket = "imageflow-dead-letters"
)

// toExecutions calls a gateway in the same process.
type toExecutions struct {
	imageflowv1.ExecutionServiceClient
	gateway *gateway.Executions
	// err is the answer to everything.
	err error
}

func (c *toExecutions) GetExecution(
	ctx context.Context, r *imageflowv1.GetExecutionRequest, _ ...grpc.CallOption,
) (*imageflowv1.GetExecutionResponse, error) {
	if c.err != nil {
		return nil, c.err
	}
	return c.gateway.GetExecution(ctx, r)
}

func (c *toExecutions) ListChains(
	ctx context.Context, r *imageflowv1.ListChainsRequest, _ ...grpc.CallOption,
) (*imageflowv1.ListChainsResponse, error) {
	return c.gateway.ListChains(ctx, r)
}

func (c *toExecutions) ListDeadLetters(
	ctx context.Context, r *imageflowv1.ListDeadLettersRequest, _ ...grpc.CallOption,
) (*imageflowv1.ListDeadLettersResponse, error) {
	if c.err != nil {
		return nil, c.err
	}
	return c.gateway.ListDeadLetters(ctx, r)
}

func (c *toExecutions) ReplayDeadLetters(
	ctx context.Context, r *imageflowv1.ReplayDeadLettersRequest, _ ...grpc.CallOption,
) (*imageflowv1.ReplayDeadLettersResponse, error) {
	if c.err != nil {
		return nil, c.err
	}
	return c.gateway.ReplayDeadLetters(ctx, r)
}

// deadLetterSystem is a console with a gateway and a store.
type deadLetterSystem struct {
	*testing.T
	letters  execution.DeadLetterStore
	store    *objects.Store
	client   *toExecutions
	handler  http.Handler
	location string // of the last answer
}

func newDeadLetterSystem(t *testing.T) *deadLetterSystem {
	t.Helper()
	_, store := stores.Start(t, stores.Local, imageBucket, letterBucket)
	letters := execution.NewDeadLetterStore(store, letterBucket)
	client := &toExecutions{gateway: &gateway.Executions{
		Store: store, DeadLetters: letters, Bucket: imageBucket, ReadFrom: objects.AllowList{imageBucket},
	}}
	pages, err := console.New(console.Config{
		Executions: client, Store: store, Bucket: imageBucket, ReadFrom: objects.AllowList{imageBucket}, MaxPages: 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pages.Close)
	return &deadLetterSystem{T: t, letters: letters, store: store, client: client, handler: pages}
}

// fail stores a dead letter.
func (s *deadLetterSystem) fail(d execution.DeadLetter) execution.DeadLetter {
	s.Helper()
	d.Bucket, d.EventType = imageBucket, "dev.imageflow.image.resized.v1"
	if d.EventID == "" {
		d.EventID = "1"
	}
	if d.Message == "" {
		d.Event = json.RawMessage(`{"id":"1"}`)
	}
	if err := s.letters.Put(s.Context(), &d); err != nil {
		s.Fatal(err)
	}
	return d
}

// get returns a page, which must have a status.
func (s *deadLetterSystem) get(path string, want int) string {
	s.Helper()
	return s.do(httptest.NewRequest(http.MethodGet, path, nil), want)
}

// submit sends a form of the page that has a button with some text, as a browser does.
func (s *deadLetterSystem) submit(page, button string, want int) string {
	s.Helper()
	forms := regexp.MustCompile(`(?s)<form method="post" action="([^"]*)">(.*?)</form>`)
	for _, form := range forms.FindAllStringSubmatch(page, -1) {
		if !strings.Contains(form[2], button) {
			continue
		}
		fields := url.Values{}
		for _, input := range regexp.MustCompile(`<input [^>]*name="([^"]*)" value="([^"]*)"`).FindAllStringSubmatch(form[2], -1) {
			fields.Add(input[1], html.UnescapeString(input[2]))
		}
		if name := regexp.MustCompile(`<button name="(.*?)" value="(.*?)">` + button).FindStringSubmatch(form[2]); name != nil {
			fields.Set(name[1], name[2])
		}
		return s.post(html.UnescapeString(form[1]), fields, want)
	}
	s.Fatalf("no form has %q:\n%s", button, page)
	return ""
}

func (s *deadLetterSystem) post(path string, fields url.Values, want int) string {
	s.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(fields.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return s.do(r, want)
}

func (s *deadLetterSystem) do(r *http.Request, want int) string {
	s.Helper()
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	if w.Code != want {
		s.Errorf("%s %s: %d\n%s", r.Method, r.URL, w.Code, w.Body)
	}
	s.location = w.Header().Get("Location")
	return w.Body.String()
}

// requests returns the requested replays.
func (s *deadLetterSystem) requests() (all []execution.Selection) {
	s.Helper()
	for key, err := range s.letters.ReplayRequests(s.Context()) {
		selection, loadErr := s.letters.ReplayRequest(s.Context(), key)
		if err != nil || loadErr != nil {
			s.Fatal(err, loadErr)
		}
		all = append(all, selection)
	}
	return all
}

// has checks that a page has texts, in this order.
func (s *deadLetterSystem) has(page string, texts ...string) {
	s.Helper()
	rest := html.UnescapeString(page)
	for _, text := range texts {
		_, after, found := strings.Cut(rest, text)
		if !found {
			s.Errorf("the page lacks %q, or has it elsewhere:\n%s", text, page)
			return
		}
		rest = after
	}
}

// TestDeadLetters_groups: numbers, ids and keys in reasons split no group; steps, statuses and words do.
func TestDeadLetters_groups(t *testing.T) {
	s := newDeadLetterSystem(t)
	for i := range 4 {
		key := fmt.Sprintf("uploads/a%d.jpg", i)
		s.fail(execution.DeadLetter{
			Execution: fmt.Sprintf("uploads/a%d", i), Key: key, Step: "http://resize", Code: 422, ETag: fmt.Sprintf("etag-%d", i),
			Reason: fmt.Sprintf("%s@etag-%d: %d bytes at 0x%08x, as resized/uploads/a%d.jpg: not an image", key, i, i*1717, i*7777777, i),
		})
	}
	s.fail(execution.DeadLetter{Execution: "uploads/b", Key: "uploads/b.jpg", Step: "http://resize", Code: 422, Reason: "too large"})
	s.fail(execution.DeadLetter{Execution: "uploads/c", Key: "uploads/c.jpg", Step: "http://detect", Code: 422, Reason: "too large"})
	s.fail(execution.DeadLetter{Execution: "uploads/d", Key: "uploads/d.jpg", Step: "http://detect", Code: 503, Reason: "too large"})
	page := s.get("/dead-letters", http.StatusOK)
	if n := strings.Count(page, "<section class=\"card\""); n != 4 {
		t.Errorf("%d groups, want 4:\n%s", n, page)
	}
	s.has(page, "503", "http://detect", "http://resize", "4 events", "uploads/a0.jpg", "uploads/a3.jpg")
	if page := s.get("/dead-letters?prefix=uploads/b", http.StatusOK); strings.Contains(page, "uploads/a0") {
		t.Errorf("the filter is ignored:\n%s", page)
	}
	s.has(s.get("/dead-letters?since=tomorrow", http.StatusBadRequest), "since must be a duration")
}

// TestDeadLetters_pages: all dead letters are reached by the links to more.
func TestDeadLetters_pages(t *testing.T) {
	s := newDeadLetterSystem(t)
	for i := range 201 {
		id := fmt.Sprintf("in/%03d", i)
		s.fail(execution.DeadLetter{Execution: id, Step: "http://resize", Reason: "no", Key: id + ".jpg"})
	}
	page := s.get("/dead-letters", http.StatusOK)
	s.has(page, "in/000.jpg", "in/199.jpg")
	next := regexp.MustCompile(`<a href="([^"]*)">More dead letters`).FindStringSubmatch(page)
	if next == nil || strings.Contains(page, "in/200.jpg") {
		t.Fatalf("no further page:\n%s", page)
	}
	s.has(s.get(html.UnescapeString(next[1]), http.StatusOK), "1 event,", "in/200.jpg")
}

// hostile are texts that must be inert and visible.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, "a\u202egpj.exe\u2066",
	"line\nbreak\r\ttab",
	strings.Repeat("ä", 450), "{{.}}", "&lt;b&gt;", "</bdi></title>", "javascript:alert(1)",
}

// inert checks that a page has no element or attribute of a hostile text, and no character that no one sees.
func inert(t *testing.T, page string) {
	t.Helper()
	if at := strings.IndexAny(page, "\u202e\u2066\r\t"); at >= 0 {
		t.Errorf("an invisible character is in %q", page[max(0, at-80):min(len(page), at+80)])
	}
	for _, bad := range []string{"<script>", "<img src=x", "' onmouseover='", "</bdi></title>", `href="javascript`} {
		if at := strings.Index(page, bad); at >= 0 {
			t.Errorf("%s is alive: %q", bad, page[max(0, at-80):min(len(page), at+80)])
		}
	}
}

// TestDeadLetters_hostile texts are inert and visible in every view, and can be replayed.
func TestDeadLetters_hostile(t *testing.T) {
	s := newDeadLetterSystem(t)
	for _, text := range hostile {
		s.fail(execution.DeadLetter{Execution: text, Key: text + ".jpg", ETag: text, EventID: text, Step: text, Reason: text})
	}
	page := s.get("/dead-letters", http.StatusOK)
	dry := s.submit(page, "Dry run of all", http.StatusOK)
	s.submit(dry, "Replay these 10 events", http.StatusSeeOther)
	requested := s.get(s.location, http.StatusOK)
	for _, page := range []string{page, dry, requested} {
		inert(t, page)
		s.has(page, "alert(1)")
		s.has(page, "⟨U+202E⟩")
		s.has(page, "line⟨U+000A⟩break⟨U+000D⟩⟨U+0009⟩tab")
		s.has(page, strings.Repeat("ä", 450))
	}
	if r := s.requests(); len(r) != 1 || len(r[0].Objects) != len(hostile) {
		t.Errorf("requested %v", r)
	}
	inert(t, s.get("/dead-letters?"+url.Values{"prefix": {hostile[1]}, "since": {hostile[0]}}.Encode(), http.StatusBadRequest))
}

// TestExecution_deadLetters: the page of an execution has its dead letters, which it can replay, and the tags of the upload.
func TestExecution_deadLetters(t *testing.T) {
	s := newDeadLetterSystem(t)
	if _, err := s.store.Put(t.Context(), imageBucket, "in/1.jpg", "image/jpeg", []byte("no image"), nil); err != nil {
		t.Fatal(err)
	}
	tags := map[string]string{"imageflow-status": "failed"}
	if err := s.store.SetTags(t.Context(), imageBucket, "in/1.jpg", "", tags); err != nil {
		t.Fatal(err)
	}
	info, err := s.store.Stat(t.Context(), imageBucket, "in/1.jpg")
	if err != nil {
		t.Fatal(err)
	}
	d := s.fail(execution.DeadLetter{Execution: "in/1", Key: "in/1.jpg", ETag: info.ETag, Step: "http://resize", Reason: hostile[0]})
	page := s.get("/execution?id=in/1", http.StatusOK)
	inert(t, page)
	s.has(page, "Tag", "imageflow-status", "failed", "Dead letters", "http://resize", "1 failure")
	s.has(s.submit(page, "Dry run of their replay", http.StatusOK), "this event", d.EventType, d.Step)
}
