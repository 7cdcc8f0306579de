package gateway_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/gateway"
	"imageflow.dev/internal/index"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/grpctest"
	"imageflow.dev/internal/testing/stores"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// watched is a gateway that serves watches.
type watched struct {
	*testing.T
	store *objects.Store
	hub   *index.Hub
	url   string
	grpc  imageflowv1.ExecutionServiceClient
}

func watches(t *testing.T, maxWatchers int, test func(*watched)) {
	stores.Each(t, []string{bucket, letters}, func(t *testing.T, _ stores.Kind, s *objects.Store) {
		reader := index.NewReader(s, letters)
		x := &gateway.Executions{
			Store: s, DeadLetters: execution.NewDeadLetterStore(s, letters), Index: reader, Hub: index.NewHub(reader, maxWatchers),
			Bucket: bucket,
		}
		h, err := gateway.New(t.Context(), time.Second, maxBody, x.Backend())
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(h)
		t.Cleanup(server.Close)
		t.Cleanup(x.Hub.Close)
		rpc := grpc.NewServer()
		imageflowv1.RegisterExecutionServiceServer(rpc, x)
		test(&watched{t, s, x.Hub, server.URL, imageflowv1.NewExecutionServiceClient(grpctest.Serve(t, rpc))})
	})
}

// stream are the server-sent events of a watch.
type stream struct {
	*watched
	body   io.ReadCloser
	lines  *bufio.Scanner
	lastID string
}

// watch starts a watch and returns when it has begun.
func (w *watched) watch(query, lastID string) *stream {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), http.MethodGet, w.url+gateway.WatchPath+"?"+query, nil)
	if err != nil {
		w.Fatal(err)
	}
	r.Header.Set("Last-Event-ID", lastID)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { resp.Body.Close() })
	s := &stream{watched: w, body: resp.Body, lines: bufio.NewScanner(resp.Body)}
	if resp.Header.Get("Content-Type") != "text/event-stream" {
		text, _ := io.ReadAll(resp.Body)
		w.Fatalf("answered %s %s", resp.Status, text)
	}
	for s.lines.Scan() && s.lines.Text() != ": heartbeat" {
	}
	return s
}

// next returns the data of the next event.
func (s *stream) next() string {
	s.Helper()
	for s.lines.Scan() {
		if id, ok := strings.CutPrefix(s.lines.Text(), "id: "); ok {
			s.lastID = id
		}
		if data, ok := strings.CutPrefix(s.lines.Text(), "data: "); ok {
			return strings.ReplaceAll(data, " ", "") // protojson varies spaces
		}
	}
	s.Fatalf("the stream has ended: %v", s.lines.Err())
	return ""
}

// expect fails unless the next event has all parts.
func (s *stream) expect(parts ...string) {
	s.Helper()
	data := s.next()
	for _, part := range parts {
		if !strings.Contains(data, part) {
			s.Errorf("the event has no %s: %s", part, data)
		}
	}
}

// append writes a segment.
func (w *watched) append(entries ...index.Entry) {
	w.Helper()
	writer := index.NewWriter(w.store, letters)
	for _, e := range entries {
		e.Bucket = bucket
		writer.Append(e)
	}
	if err := writer.Close(w.Context()); err != nil {
		w.Fatal(err)
	}
}

// history returns the parts of an execution that completes.
func history(id string, at time.Time) (arrival, step, outcome index.Entry) {
	return index.Entry{ID: id, Key: id + ".jpg", ETag: "1", Arrived: at},
		index.Entry{ID: id, Steps: []index.Step{{Name: "resize", At: at.Add(time.Millisecond)}}},
		index.Entry{ID: id, Outcome: index.Outcome{Status: execution.StatusCompleted, ETag: "1", At: at.Add(2 * time.Millisecond)}}
}

// TestWatchExecutions: a watch outlasts the time limit of requests, shows each change in order, even if
// the last one is written first, and continues after an interruption.
func TestWatchExecutions(t *testing.T) {
	watches(t, 10, func(w *watched) {
		all, failed := w.watch("", ""), w.watch("status=PROCESSING_STATUS_FAILED&prefix=in/", "")
		arrival, step, outcome := history("in/cat", time.Now().UTC())
		w.append(outcome, arrival, step)
		all.expect(`"execution_id":"in/cat"`, `PENDING`, `"steps":[]`) // with all fields, as in a list
		all.expect(`"name":"resize"`, `RUNNING`)
		all.expect(`"name":"resize"`, `COMPLETED`, `"object_key":"in/cat.jpg"`)
		all.body.Close()

		arrival, step, outcome = history("in/dog", time.Now().UTC())
		outcome.Outcome.Status = execution.StatusFailed
		w.append(arrival, step, outcome)
		failed.expect(`"execution_id":"in/dog"`, `FAILED`, `"name":"resize"`)

		resumed := w.watch("prefix=in/dog", all.lastID)
		for _, state := range []string{"PENDING", "RUNNING", "FAILED"} {
			resumed.expect(`"execution_id":"in/dog"`, state)
		}
		w.hub.Close()
		failed.expect(`"code":14`, "shuttingdown")
	})
}

// TestWatchExecutions_gRPC: the same by gRPC.
func TestWatchExecutions_gRPC(t *testing.T) {
	watches(t, 1, func(w *watched) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		first, err := w.grpc.WatchExecutions(ctx, &imageflowv1.WatchExecutionsRequest{Step: "resize"})
		if err != nil {
			w.Fatal(err)
		}
		if r, err := first.Recv(); err != nil || r.GetExecution() != nil {
			w.Fatalf("the first message is %v, %v", r, err)
		}
		arrival, step, outcome := history("in/cat", time.Now().UTC())
		w.append(arrival, step, outcome)
		for _, want := range []imageflowv1.ProcessingStatus{
			imageflowv1.ProcessingStatus_PROCESSING_STATUS_RUNNING, imageflowv1.ProcessingStatus_PROCESSING_STATUS_COMPLETED,
		} {
			if r, err := first.Recv(); err != nil || r.GetExecution().GetStatus() != want || r.GetEventId() == "" {
				w.Errorf("received %v, %v; want %v", r, err, want)
			}
		}
		for _, c := range []struct {
			request *imageflowv1.WatchExecutionsRequest
			want    codes.Code
		}{
			{&imageflowv1.WatchExecutionsRequest{}, codes.ResourceExhausted}, // one watcher is the limit
			{&imageflowv1.WatchExecutionsRequest{Bucket: "No"}, codes.InvalidArgument},
		} {
			second, err := w.grpc.WatchExecutions(ctx, c.request)
			if err == nil {
				_, err = second.Recv()
			}
			if status.Code(err) != c.want {
				w.Errorf("%v: %v, want %v", c.request, err, c.want)
			}
		}
	})
}

// TestWatchExecutions_errors have the names of the contract, as all answers.
func TestWatchExecutions_errors(t *testing.T) {
	watches(t, 0, func(w *watched) {
		for query, want := range map[string]string{
			"bucket=No": `"field_violations":[`, "step=nonsense": "there is no step", "": "MAX_WATCHES",
		} {
			resp, err := http.Get(w.url + gateway.WatchPath + "?" + query)
			if err != nil {
				w.Fatal(err)
			}
			text, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if got := strings.ReplaceAll(string(text), " ", ""); !strings.Contains(got, strings.ReplaceAll(want, " ", "")) ||
				resp.StatusCode == http.StatusOK {
				w.Errorf("%q is answered %s %s", query, resp.Status, text)
			}
		}
	})
}

// TestWatchExecutions_unknownID: a watch that cannot be resumed is refused.
func TestWatchExecutions_unknownID(t *testing.T) {
	watches(t, 2, func(w *watched) {
		for _, id := range []string{"x", "20200101T000000.000000Z", "20990101T000000.000000Z"} {
			resp, err := http.Get(w.url + gateway.WatchPath + "?last_event_id=" + id)
			if err != nil {
				w.Fatal(err)
			}
			text, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), `"code":11`) {
				w.Errorf("%s is answered %s %s", id, resp.Status, text)
			}
		}
	})
}
