package console

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/objects"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// TestLive_missed: a page gets what happened between its making and its request for live updates.
func TestLive_missed(t *testing.T) {
	s := storeConsole(t)
	created, err := events.NewObjectFound(objects.Info{Bucket: imageBucket, Key: "uploads/a.jpg", ETag: "v1", Modified: time.Now()})
	if err == nil {
		err = s.feed.take(&created)
	}
	if err != nil {
		t.Fatal(err)
	}
	takeStep(t, s.feed, &created, "resize")
	server := httptest.NewServer(s)
	defer server.Close()
	defer s.Close()
	for _, view := range []string{stripView, healthView, chainView} { // these show no runs
		answer, err := http.Get(server.URL + livePath + "?view=" + view)
		if err != nil {
			t.Fatalf("view %s: %v", view, err)
		}
		answer.Body.Close()
	}
	answer, err := http.Get(server.URL + s.feed.get(imageBucket, "uploads/a").LiveURL())
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	for timeout := time.AfterFunc(time.Minute, server.CloseClientConnections); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "data: ") && strings.Contains(lines.Text(), `data-title="resize"`) {
			timeout.Stop()
			return
		}
	}
	t.Fatal("the output of the resize was not sent")
}

// takeStep passes the event of a finished step to a feed, and returns it.
func takeStep(t *testing.T, f *feed, cause *cloudevent.Event, step string) *cloudevent.Event {
	t.Helper()
	result := &imageflowv1.ProcessingResult{
		OutputImage: &imageflowv1.ImageData{Bucket: imageBucket, ObjectKey: "uploads/a_" + step + ".jpg", Width: 800, Height: 533},
	}
	events.ExecutionID.Set(result, "uploads/a")
	events.SourceBucket.Set(result, imageBucket)
	var response events.Response = &imageflowv1.FilterResponse{Result: result}
	if step == "resize" {
		events.SourceKey.Set(result, "uploads/a.jpg")
		response = &imageflowv1.ResizeResponse{
			Result: result, Metadata: &imageflowv1.ResizeMetadata{OriginalWidth: 1200, OriginalHeight: 800},
		}
	}
	if step != "filter" {
		events.SideCar.Set(result, "uploads/a_"+step+".json")
	}
	e, err := events.NewStepCompleted(t.Context(), cause, step, "", response)
	if err == nil {
		err = f.take(e)
	}
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestLive_reconnects: a page that had no connection gets what happened meanwhile, of each of its executions.
func TestLive_reconnects(t *testing.T) {
	s := storeConsole(t)
	began := time.Now().Add(-time.Hour)
	s.feed.now = func() time.Time { return began }
	for _, key := range []string{"uploads/a.jpg", "uploads/b.jpg", "uploads/c.jpg"} {
		created, err := events.NewObjectFound(objects.Info{Bucket: imageBucket, Key: key, ETag: "v1", Modified: began})
		if err == nil {
			err = s.feed.take(&created)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s.feed.now = time.Now
	server := httptest.NewServer(s)
	defer server.Close()
	defer s.Close()
	for last, want := range map[int64]string{began.UnixMilli() - 1: "a b", began.UnixMilli() + 1: ""} {
		r, err := http.NewRequest(http.MethodGet, server.URL+livePath+"?id=uploads/a&id=uploads/b", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Last-Event-ID", strconv.FormatInt(last, 10))
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text := make([]byte, 64<<10)
		n, err := answer.Body.Read(text)
		answer.Body.Close()
		for _, id := range []string{"a", "b", "c"} {
			isSent := strings.Contains(string(text[:n]), s.feed.get(imageBucket, "uploads/"+id).DOM())
			if err != nil || isSent != strings.Contains(want, id) {
				t.Errorf("after %d: %s is sent: %v; %v", last, id, isSent, err)
			}
		}
	}
}

// TestLive_changed: pages share the fragments of a change, and the page of a replay has its own.
func TestLive_changed(t *testing.T) {
	s := storeConsole(t)
	c := &change{run: &run{Bucket: imageBucket, ID: "uploads/a"}, texts: map[string]string{}}
	row := view{fragments: []string{"row"}}
	first := s.changed(row, c)
	c.run = &run{Bucket: imageBucket, ID: "uploads/b"} // which a fragment that is made again would show
	if second := s.changed(row, c); first != second || !strings.Contains(first, "uploads/a") {
		t.Errorf("two pages show\n%s\n%s", first, second)
	}
	own := view{fragments: []string{"state"}, data: func(*run) any { return &run{Bucket: imageBucket, ID: "uploads/c"} }}
	state := s.changed(view{fragments: []string{"state"}}, c)
	if text := s.changed(own, c); text == state || text == "" {
		t.Errorf("the page of a replay shows\n%s", text)
	}
}
