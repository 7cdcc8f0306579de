package console

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/httpevent"
	"imageflow.dev/internal/objects"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// TestUpload_sameName: images of one name that arrive at the same time are all stored.
func TestUpload_sameName(t *testing.T) {
	s := storeConsole(t)
	const count = 40
	links := make([]string, count)
	var all sync.WaitGroup
	for i := range count {
		all.Go(func() {
			answer := sendForm(t, s, "image", "image.jpg", fmt.Sprint("image ", i))
			if link := objectLink.FindStringSubmatch(answer.Body.String()); link != nil {
				links[i] = strings.ReplaceAll(link[1], "&amp;", "&")
			} else {
				t.Errorf("%d %s", answer.Code, answer.Body)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	for i, link := range links {
		if got := getPage(s, link); got.Body.String() != fmt.Sprint("image ", i) {
			t.Fatalf("image %d at %q: %d %q", i, link, got.Code, got.Body)
		}
	}
}

// created returns the event of an upload.
func created(t *testing.T, bucket, key string, at time.Time) cloudevent.Event {
	t.Helper()
	e, err := events.NewObjectFound(objects.Info{Bucket: bucket, Key: key, ETag: "v1", Modified: at})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestReceive_otherBuckets: the console does not show what happens in buckets that it may not read.
func TestReceive_otherBuckets(t *testing.T) {
	s := storeConsole(t)
	for bucket, isShown := range map[string]bool{imageBucket: true, "secret": false} {
		r, err := httpevent.NewRequest(t.Context(), "http://console"+EventsPath, created(t, bucket, "uploads/a.jpg", time.Now()))
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if seen := s.feed.get(bucket, "uploads/a"); w.Code != http.StatusAccepted || (seen != nil) != isShown {
			t.Errorf("%s: %d, %v", bucket, w.Code, seen)
		}
	}
}

// TestLive_longAway: a page that was away for long gets the newest changes, not more than it has room for.
func TestLive_longAway(t *testing.T) {
	s := storeConsole(t)
	for i := range maxSeen {
		e := created(t, imageBucket, fmt.Sprintf("uploads/%d.jpg", i), time.Now())
		if err := s.feed.take(&e); err != nil {
			t.Fatal(err)
		}
	}
	missed := s.missed(view{wants: func(*run) bool { return true }}, time.Time{})
	if first, last := fmt.Sprintf("uploads/%d", maxSeen-maxMissed), fmt.Sprintf("uploads/%d", maxSeen-1); len(missed) != maxMissed ||
		missed[0].ID != first || missed[maxMissed-1].ID != last {
		t.Errorf("%d, from %s to %s", len(missed), missed[0].ID, missed[len(missed)-1].ID)
	}
}

// longList is a gateway with more executions than a page has.
type longList struct {
	imageflowv1.ExecutionServiceClient
	newest time.Time
}

func (l longList) ListExecutions(
	context.Context, *imageflowv1.ListExecutionsRequest, ...grpc.CallOption,
) (*imageflowv1.ListExecutionsResponse, error) {
	answer := &imageflowv1.ListExecutionsResponse{NextPageToken: "more"}
	for i := range pageSize {
		answer.Executions = append(answer.Executions, &imageflowv1.ExecutionSummary{
			Bucket: imageBucket, ExecutionId: fmt.Sprint("listed/", i),
			ArrivedAt: timestamppb.New(l.newest.Add(-time.Duration(i) * time.Minute)),
		})
	}
	return answer, nil
}

// TestExecutions_burst: an old execution that goes on stays on its page of the list, and a burst leaves the first page short.
func TestExecutions_burst(t *testing.T) {
	s := storeConsole(t)
	now := time.Now()
	s.config.Executions = longList{newest: now.Add(-time.Minute)}
	for i := range 3 * pageSize {
		e := created(t, imageBucket, fmt.Sprintf("fresh/%d.jpg", i), now)
		if err := s.feed.take(&e); err != nil {
			t.Fatal(err)
		}
	}
	old := created(t, imageBucket, "old/a.jpg", now.Add(-24*time.Hour))
	if err := s.feed.take(&old); err != nil {
		t.Fatal(err)
	}
	page := getPage(s, "/executions").Body.String()
	rows := strings.Count(page, "<tr id=")
	if rows != 2*pageSize || strings.Contains(page, "old/a") || !strings.Contains(page, fmt.Sprint("listed/", pageSize-1)) {
		t.Errorf("%d rows; with the old execution: %v", rows, strings.Contains(page, "old/a"))
	}
}

// silentGateway never answers.
type silentGateway struct{}

func (silentGateway) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// TestContract_silentGateway: a page that waits for the description does not make others wait behind it.
func TestContract_silentGateway(t *testing.T) {
	c := contract{gateway: silentGateway{}}
	first, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _, _ = c.read(first) }()
	second, stop := context.WithCancel(t.Context())
	stop()
	if _, err := c.read(second); err == nil {
		t.Error("a silent gateway has described its API")
	}
}

// TestPercent_noNumber: times that are no numbers make no widths that browsers refuse.
func TestPercent_noNumber(t *testing.T) {
	for _, whole := range []float64{math.NaN(), math.Inf(1), 0, -1} {
		if text := percent(math.Inf(1), whole); text != "0" {
			t.Errorf("%v: %s", whole, text)
		}
	}
}

// TestTry_withoutScripts: a form that the browser sends itself has one image, since the console takes one from a form.
func TestTry_withoutScripts(t *testing.T) {
	if page := getPage(storeConsole(t), "/").Body.Bytes(); bytes.Contains(page, []byte("multiple")) {
		t.Error("people could choose several images, of which all but the first are lost")
	}
}

// TestAddresses: an address that names nothing is the caller's fault.
func TestAddresses(t *testing.T) {
	s := storeConsole(t)
	for path, want := range map[string]int{
		"/executions?prefix=%ff": http.StatusBadRequest, "/execution?id=%ff": http.StatusBadRequest, "/?x=%zz": http.StatusBadRequest,
		"/object?key=../x": http.StatusNotFound, "/object?key=/../x": http.StatusNotFound,
	} {
		if got := getPage(s, path); got.Code != want {
			t.Errorf("%s: %d %s, want %d", path, got.Code, got.Body, want)
		}
	}
}

// TestMethods: a method that a page does not have is refused with those that it has.
func TestMethods(t *testing.T) {
	s := storeConsole(t)
	for _, c := range []struct {
		method, path, allow string
		code                int
	}{
		{"PUT", "/", "GET, HEAD", 405}, {"DELETE", "/executions", "GET, HEAD", 405}, {"POST", "/execution", "GET, HEAD", 405},
		{"OPTIONS", "/bench", "GET, HEAD, POST", 405},
		{"GET", "/upload", "POST", 405}, {"PATCH", "/static/style.css", "GET, HEAD", 405},
		{"PUT", "/nothing", "", 404}, {"GET", "/nothing", "", 404},
	} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		if w.Code != c.code || w.Header().Get("Allow") != c.allow {
			t.Errorf("%s %s: %d, Allow %q; want %d, %q", c.method, c.path, w.Code, w.Header().Get("Allow"), c.code, c.allow)
		}
	}
}

// TestUpload_oddName: an image is stored whatever the ending of its name.
func TestUpload_oddName(t *testing.T) {
	s := storeConsole(t)
	for _, name := range []string{"a." + strings.Repeat("x", 5000), "a.jpg; charset=x", "a.", ".jpg", "a.ü"} {
		if got := sendForm(t, s, "image", name, "data"); got.Code != http.StatusOK {
			t.Errorf("%.20s: %d %s", name, got.Code, got.Body)
		}
	}
}

// repeating is a gateway that lists one execution twice, the newest version first.
type repeating struct {
	imageflowv1.ExecutionServiceClient
}

func (repeating) ListExecutions(
	context.Context, *imageflowv1.ListExecutionsRequest, ...grpc.CallOption,
) (*imageflowv1.ListExecutionsResponse, error) {
	now := timestamppb.Now()
	return &imageflowv1.ListExecutionsResponse{Executions: []*imageflowv1.ExecutionSummary{
		{Bucket: imageBucket, ExecutionId: "a", Status: imageflowv1.ProcessingStatus_PROCESSING_STATUS_COMPLETED, ArrivedAt: now},
		{Bucket: imageBucket, ExecutionId: "a", ArrivedAt: now},
	}}, nil
}

// TestExecutions_twice: a list has an execution once, since the elements of a page have names of their own.
func TestExecutions_twice(t *testing.T) {
	s := storeConsole(t)
	s.config.Executions = repeating{}
	page := getPage(s, "/executions").Body.String()
	if strings.Count(page, "<tr id=") != 1 || !strings.Contains(page, "</span> completed") {
		t.Errorf("the page is\n%s", page)
	}
}
