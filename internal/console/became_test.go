package console

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// replayAt is when TestOfReplay requests a replay of what failed at failedAt.
var (
	failedAt = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	replayAt = failedAt.Add(time.Minute)
)

func failureAt(at time.Time) *imageflowv1.ExecutionFailure {
	return &imageflowv1.ExecutionFailure{Reason: "<b>\u202ebad", FailedAt: timestamppb.New(at)}
}

// TestOfReplay: the page of a replay shows what becomes of its executions, and nothing that happened before.
func TestOfReplay(t *testing.T) {
	s, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	v := view{}
	err = v.ofReplay(&requestedReplay{Bucket: "b", At: replayAt, Letters: lettersOf([]*imageflowv1.DeadLetter{
		{Id: "b/x/1.json", Bucket: "b", ExecutionId: "x", Etag: "v1", LastFailedAt: timestamppb.New(failedAt)},
	})})
	if err != nil || v.ofReplay(nil) == nil {
		t.Fatal("an unknown replay has live updates, or a known one has none", err)
	}
	after, completed := replayAt.Add(time.Second), imageflowv1.ProcessingStatus_PROCESSING_STATUS_COMPLETED
	for name, test := range map[string]struct {
		run  run
		want string // empty: not wanted
	}{
		"before":            {run{Bucket: "b", ID: "x", Updated: failedAt, Failure: failureAt(failedAt)}, ""},
		"another execution": {run{Bucket: "b", ID: "y", Updated: after, Status: completed}, ""},
		"another bucket":    {run{Bucket: "c", ID: "x", Updated: after, Status: completed}, ""},
		"sent":              {run{Bucket: "b", ID: "x", Updated: after, Failure: failureAt(failedAt)}, "◐</span> sent, running"},
		"completed":         {run{Bucket: "b", ID: "x", Updated: after, Status: completed}, "●</span> replayed and completed"},
		"replaced":          {run{Bucket: "b", ID: "x", ETag: "v2", Updated: after, Status: completed}, "superseded"},
		"failed again": {
			run{Bucket: "b", ID: "x", Updated: after, Failure: failureAt(after)},
			"✕</span> failed again</span> <span class=\"reason\"><bdi>&lt;b&gt;⟨U&#43;202E⟩bad",
		},
	} {
		if v.wants(&test.run) != (test.want != "") {
			t.Errorf("%s: wanted is %v", name, v.wants(&test.run))
		} else if test.want != "" && !strings.Contains(s.events(v, &test.run), test.want) {
			t.Errorf("%s: %s", name, s.events(v, &test.run))
		}
	}
}

// TestOfFresh: the page of dead letters shows the failures after it was made that its filter selects.
func TestOfFresh(t *testing.T) {
	v, made := view{}, time.Now()
	if err := v.ofFresh(filter{Bucket: "b", Prefix: "in/"}, "soon"); err == nil {
		t.Error("no time is accepted")
	}
	if err := v.ofFresh(filter{Bucket: "b", Prefix: "in/"}, "1767268800000"); err != nil { // 2026-01-01T12:00:00Z
		t.Fatal(err)
	}
	for _, test := range []struct {
		run  run
		want bool
	}{
		{run{Bucket: "b", ID: "in/1", Failure: failureAt(made)}, true},
		{run{Bucket: "b", ID: "in/1", Failure: failureAt(time.UnixMilli(1767268799000))}, false},
		{run{Bucket: "b", ID: "in/1"}, false},
		{run{Bucket: "b", ID: "out/1", Failure: failureAt(made)}, false},
		{run{Bucket: "c", ID: "in/1", Failure: failureAt(made)}, false},
	} {
		if v.wants(&test.run) != test.want {
			t.Errorf("%+v: wanted is %v", test.run, !test.want)
		}
	}
}
