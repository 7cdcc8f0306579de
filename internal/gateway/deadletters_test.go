package gateway_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/gateway"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/stores"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// deadLetters runs a test with a gateway on each kind of store. call sends a request, and fills the answer or
// returns its text.
func deadLetters(t *testing.T, test func(
	t *testing.T, d execution.DeadLetterStore, call func(method, path, body string, answer proto.Message) string,
)) {
	stores.Each(t, []string{bucket, letters}, func(t *testing.T, _ stores.Kind, s *objects.Store) {
		x := &gateway.Executions{
			Store: s, DeadLetters: execution.NewDeadLetterStore(s, letters), Bucket: bucket, ReadFrom: objects.AllowList{bucket},
		}
		h, err := gateway.New(t.Context(), time.Minute, maxBody, x.Backend())
		if err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			d := &execution.DeadLetter{
				Bucket: bucket, Execution: fmt.Sprintf("in/%d", i), Key: fmt.Sprintf("in/%d.jpg", i), EventID: "1",
				Reason: "too large", Code: 422, Step: "http://resize", Event: json.RawMessage(`{"id":"1"}`),
			}
			if i == 4 {
				d.Event, d.Message = nil, "no event"
			}
			if err := x.DeadLetters.Put(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
		test(t, x.DeadLetters, func(method, path, body string, answer proto.Message) string {
			t.Helper()
			r, w := httptest.NewRequest(method, path, strings.NewReader(body)), httptest.NewRecorder()
			r.Header.Set("Content-Type", "application/json")
			h.ServeHTTP(w, r)
			text, _ := io.ReadAll(w.Body)
			if w.Code == http.StatusOK && protojson.Unmarshal(text, answer) != nil {
				t.Errorf("answered %s", text)
			}
			return string(text)
		})
	})
}

// letterIDs returns the executions of dead letters.
func letterIDs(all []*imageflowv1.DeadLetter) string {
	var ids []string
	for _, d := range all {
		ids = append(ids, d.GetExecutionId())
	}
	return strings.Join(ids, " ")
}

func TestListDeadLetters(t *testing.T) {
	deadLetters(t, func(t *testing.T, _ execution.DeadLetterStore, call func(string, string, string, proto.Message) string) {
		for query, want := range map[string]string{
			"": "in/0 in/1 in/2 in/3 in/4", "prefix=in/2": "in/2", "until=2026-01-01T00:00:00Z": "",
			"since=2026-01-01T00:00:00Z": "in/0 in/1 in/2 in/3 in/4",
		} {
			r := &imageflowv1.ListDeadLettersResponse{}
			if text := call("GET", "/v1/dead-letters?"+query, "", r); letterIDs(r.GetDeadLetters()) != want {
				t.Errorf("%s: %s", query, text)
			}
		}
		var pages []string
		for token := ""; len(pages) == 0 || token != ""; {
			r := &imageflowv1.ListDeadLettersResponse{}
			call("GET", "/v1/dead-letters?page_size=2&page_token="+token, "", r)
			token = r.GetNextPageToken()
			pages = append(pages, letterIDs(r.GetDeadLetters()))
			for _, d := range r.GetDeadLetters() {
				if d.GetReason() != "too large" || d.GetCode() != 422 || d.GetReplayable() != (d.GetExecutionId() != "in/4") {
					t.Errorf("the dead letter is %v", d)
				}
			}
		}
		if got := strings.Join(pages, "|"); got != "in/0 in/1|in/2 in/3|in/4" {
			t.Errorf("the pages are %s", got)
		}
	})
}

func TestReplayDeadLetters(t *testing.T) {
	deadLetters(t, func(t *testing.T, d execution.DeadLetterStore, call func(string, string, string, proto.Message) string) {
		requests := func() (all []execution.Selection) {
			for key, err := range d.ReplayRequests(t.Context()) {
				s, loadErr := d.ReplayRequest(t.Context(), key)
				if err != nil || loadErr != nil {
					t.Fatal(err, loadErr)
				}
				all = append(all, s)
			}
			return all
		}
		r := &imageflowv1.ReplayDeadLettersResponse{}
		if text := call("POST", "/v1/dead-letters:replay", `{"all":true,"dry_run":true}`, r); len(requests()) != 0 ||
			letterIDs(r.GetDeadLetters()) != "in/0 in/1 in/2 in/3" || r.GetRequest() != "" {
			t.Errorf("a dry run: %s", text)
		}
		ids := []string{bucket + "/in/1/1.json", bucket + "/in/3/1.json"}
		body, _ := json.Marshal(map[string]any{"ids": ids})
		text := call("POST", "/v1/dead-letters:replay", string(body), r)
		all := requests()
		if letterIDs(r.GetDeadLetters()) != "in/1 in/3" || len(all) != 1 || !slices.Equal(all[0].Objects, ids) {
			t.Errorf("by ids: %s, requests %+v", text, all)
		}
		for body, want := range map[string]string{
			`{}`: "at least one", `{"all":true,"ids":["a"]}`: "without the others", `{"ids":["private/a/1.json"]}`: "ids[0]",
			`{"all":true,"bucket":"private"}`: "READ_FROM", `{"since":"noon"}`: "since: not a time of RFC 3339, such as 20",
			`{"all":true,"bucket":"UPPER"}`: "bucket: must have 3 to 63 lower-case letters, digits, dots and hyphens",
		} {
			text := call("POST", "/v1/dead-letters:replay", body, r)
			if !strings.Contains(text, want) || !strings.Contains(text, `"code":3`) {
				t.Errorf("%s is answered %s", body, text)
			}
		}
		if len(requests()) != 1 {
			t.Errorf("the requests are %+v", requests())
		}
	})
}

// TestReplayDeadLetters_notFound: ids without a dead letter are named.
func TestReplayDeadLetters_notFound(t *testing.T) {
	deadLetters(t, func(t *testing.T, _ execution.DeadLetterStore, call func(string, string, string, proto.Message) string) {
		r := &imageflowv1.ReplayDeadLettersResponse{}
		missing := []string{bucket + "/nope.json", bucket + "/../x.json"}
		body, _ := json.Marshal(map[string]any{"ids": append([]string{bucket + "/in/1/1.json", missing[0]}, missing...)})
		text := call("POST", "/v1/dead-letters:replay", string(body), r)
		if !slices.Equal(r.GetNotFound(), missing) || letterIDs(r.GetDeadLetters()) != "in/1" {
			t.Errorf("answered %s", text)
		}
	})
}

// TestDeadLetters_permittedPrefixes: where READ_FROM has a part of the bucket, the list has that part, and a replay of others
// by their ids finds nothing.
func TestDeadLetters_permittedPrefixes(t *testing.T) {
	deadLetters(t, func(t *testing.T, d execution.DeadLetterStore, _ func(string, string, string, proto.Message) string) {
		x := &gateway.Executions{Store: &objects.Store{}, DeadLetters: d, Bucket: bucket, ReadFrom: objects.AllowList{bucket + "/in/2"}}
		list, err := x.ListDeadLetters(t.Context(), &imageflowv1.ListDeadLettersRequest{})
		if err != nil || letterIDs(list.GetDeadLetters()) != "in/2" {
			t.Errorf("the list is %v %v", list, err)
		}
		one, two := bucket+"/in/1/1.json", bucket+"/in/2/1.json"
		r, err := x.ReplayDeadLetters(t.Context(), &imageflowv1.ReplayDeadLettersRequest{Ids: []string{one, two}})
		if err != nil || letterIDs(r.GetDeadLetters()) != "in/2" || !slices.Equal(r.GetNotFound(), []string{one}) {
			t.Fatalf("a replay of two: %v %v", r, err)
		}
		for key, err := range d.ReplayRequests(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if s, err := d.ReplayRequest(t.Context(), key); err != nil || !slices.Equal(s.Objects, []string{two}) {
				t.Errorf("the request is %+v %v", s, err)
			}
		}
		if _, err := x.ReplayDeadLetters(t.Context(), &imageflowv1.ReplayDeadLettersRequest{All: true}); err == nil {
			t.Error("a replay of the whole bucket is allowed")
		}
	})
}
