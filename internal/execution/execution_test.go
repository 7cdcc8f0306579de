package execution_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/stores"
)

const (
	bucket      = "images"
	deadLetters = "dead-letters"
)

func each(t *testing.T, test func(*testing.T, *objects.Store, execution.DeadLetterStore)) {
	stores.Each(t, []string{bucket, deadLetters}, func(t *testing.T, _ stores.Kind, s *objects.Store) {
		test(t, s, execution.NewDeadLetterStore(s, deadLetters))
	})
}

func put(t *testing.T, s *objects.Store, key, contentType, content string, metadata map[string]string) objects.Info {
	t.Helper()
	info, err := s.Put(t.Context(), bucket, key, contentType, []byte(content), metadata)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// output stores the output of a step.
func output(t *testing.T, s *objects.Store, id, step, from, content string) objects.Info {
	t.Helper()
	write := func(key, contentType, content string) objects.Info {
		metadata := execution.ObjectMetadata(id, bucket, key)
		maps.Copy(metadata, map[string]string{execution.StepMetadata: step, execution.SourceMetadata: from,
			execution.SecondsMetadata: "0.25"})
		return put(t, s, key, contentType, content, metadata)
	}
	if step == "resize" {
		write(id+"_resize.json", "application/json", "{}")
	}
	return write(id+"_"+step+".jpg", "image/jpeg", content)
}

func find(t *testing.T, s *objects.Store, l execution.DeadLetterStore, id string) execution.Execution {
	t.Helper()
	e, err := execution.Find(t.Context(), s, l, bucket, id)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// names returns the names of the steps in order.
func names(e execution.Execution) string {
	var all []string
	for _, s := range e.Steps {
		all = append(all, s.Name)
	}
	return strings.Join(all, " ")
}

// putSimilar puts objects of other executions whose keys begin with the same id.
func putSimilar(t *testing.T, s *objects.Store, id string) {
	t.Helper()
	put(t, s, id+"2.jpg", "image/jpeg", "another", nil)
	put(t, s, id+"_2.jpg", "image/jpeg", "another's source", nil)
	output(t, s, id+"_2", "resize", "x", "another's output")
	put(t, s, id+"/deeper.jpg", "image/jpeg", "another", nil)
}

// putCrop puts a crop beside the output of a detection, which is no step.
func putCrop(t *testing.T, s *objects.Store, id, from string) {
	t.Helper()
	key := id + "_ai-detection-crop-1.jpg"
	metadata := execution.ObjectMetadata(id, bucket, key)
	metadata[execution.StepMetadata], metadata[execution.SourceMetadata], metadata[execution.CropMetadata] = "detect", from, "1"
	put(t, s, key, "image/jpeg", "c1", metadata)
}

// checkSteps checks that resize and then filter have written their outputs.
func checkSteps(t *testing.T, e execution.Execution, id string, resized, filtered objects.Info) {
	t.Helper()
	first := e.Steps[0]
	if first.Output.Key != id+"_resize.jpg" || first.Output.ETag != resized.ETag || first.SideCar != id+"_resize.json" ||
		first.Seconds != 0.25 || first.Finished().IsZero() || e.Steps[1].SideCar != "" || e.Steps[1].Output.ETag != filtered.ETag {
		t.Errorf("the steps are %+v", e.Steps)
	}
}

// TestFind_chain finds an execution after each change of its state, among objects with
// similar keys.
func TestFind_chain(t *testing.T) {
	each(t, func(t *testing.T, s *objects.Store, l execution.DeadLetterStore) {
		id := "in/cat ü"
		putSimilar(t, s, id)
		if _, err := execution.Find(t.Context(), s, l, bucket, id); !errors.Is(err, objects.ErrNotFound) {
			t.Fatalf("nothing is there yet: %v", err)
		}

		source := put(t, s, id+".jpg", "image/jpeg", "v1", nil)
		put(t, s, id+".webp", "image/webp", "a step's", map[string]string{execution.IDMetadata: id})
		e := find(t, s, l, id)
		if e.State != execution.Pending || e.Source == nil || e.Source.Key != id+".jpg" || len(e.Steps) > 0 || e.Failure != nil {
			t.Errorf("after the upload: %+v", e)
		}

		resized := output(t, s, id, "resize", source.ETag, "r1")
		filtered := output(t, s, id, "filter", resized.ETag, "f1")
		putCrop(t, s, id, resized.ETag)
		if e = find(t, s, l, id); e.State != execution.Running || names(e) != "resize filter" {
			t.Fatalf("after two steps: %+v", e)
		}
		checkSteps(t, e, id, resized, filtered)

		if err := execution.SetOutcome(t.Context(), s, bucket, source.Key, "", execution.StatusCompleted); err != nil {
			t.Fatal(err)
		}
		if e = find(t, s, l, id); e.State != execution.Completed {
			t.Errorf("after the end: %+v", e)
		}

		replaced := put(t, s, id+".jpg", "image/jpeg", "v2", nil)
		if e = find(t, s, l, id); e.State != execution.Pending || names(e) != "" {
			t.Errorf("a new version has the steps of the old: %+v", e)
		}
		output(t, s, id, "resize", replaced.ETag, "r2")
		if e = find(t, s, l, id); e.State != execution.Running || names(e) != "resize" {
			t.Errorf("after the new version's first step: %+v", e)
		}
	})
}

// TestFind_noDeadLetterBucket: a gateway without a bridge needs no bucket of dead letters.
func TestFind_noDeadLetterBucket(t *testing.T) {
	each(t, func(t *testing.T, s *objects.Store, _ execution.DeadLetterStore) {
		put(t, s, "in/cat.jpg", "image/jpeg", "v1", nil)
		e := find(t, s, execution.NewDeadLetterStore(s, "no-such-bucket"), "in/cat")
		if e.State != execution.Pending || e.Source == nil {
			t.Errorf("got %+v", e)
		}
	})
}

func TestFind_failures(t *testing.T) {
	each(t, func(t *testing.T, s *objects.Store, l execution.DeadLetterStore) {
		source := put(t, s, "cat.jpg", "image/jpeg", "v1", nil)
		deadLetter := &execution.DeadLetter{
			Execution: "cat", Bucket: bucket, Key: "cat.jpg", ETag: source.ETag, EventID: "1", Reason: "not an image", Code: 400,
		}
		keep(t, l, deadLetter)
		e := find(t, s, l, "cat")
		if e.State != execution.Failed || e.Failure == nil || e.Failure.Reason != "not an image" ||
			e.Failure.Object != deadLetter.Object {
			t.Errorf("got %+v", e)
		}
		taken, err := l.BeginReplay(t.Context(), *deadLetter)
		if err != nil {
			t.Fatal(err)
		}
		if e = find(t, s, l, "cat"); e.State != execution.Pending || e.Failure != nil {
			t.Errorf("while it is sent again: %+v", e)
		}
		if err := l.CancelReplay(t.Context(), taken); err != nil {
			t.Fatal(err)
		}
		if e = find(t, s, l, "cat"); e.State != execution.Failed {
			t.Errorf("when that failed: %+v", e)
		}
		put(t, s, "cat.jpg", "image/jpeg", "v2", nil)
		if e = find(t, s, l, "cat"); e.State != execution.Pending || e.Failure != nil {
			t.Errorf("a new version has the failure of the old: %+v", e)
		}
		if err := s.Remove(t.Context(), bucket, "cat.jpg"); err != nil {
			t.Fatal(err)
		}
		if e = find(t, s, l, "cat"); e.State != execution.Failed || e.Source != nil {
			t.Errorf("after the image was removed: %+v", e)
		}
	})
}

func keep(t *testing.T, l execution.DeadLetterStore, deadLetter *execution.DeadLetter) {
	t.Helper()
	if err := l.Put(t.Context(), deadLetter); err != nil {
		t.Fatal(err)
	}
}

// list returns the event ids of the selected dead letters.
func list(t *testing.T, l execution.DeadLetterStore, s execution.Selection) []string {
	t.Helper()
	ids := []string{}
	for deadLetter, err := range l.List(t.Context(), s) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, deadLetter.EventID)
	}
	slices.Sort(ids)
	return ids
}

// failsInReplay checks that a failure during a replay is kept when the replay ends.
func failsInReplay(t *testing.T, l execution.DeadLetterStore, deadLetter, taken execution.DeadLetter) {
	t.Helper()
	fresh := deadLetter
	keep(t, l, &fresh) // it fails at once
	if fresh.Failures != 3 {
		t.Errorf("it has failed %d times", fresh.Failures)
	}
	for _, done := range []func(context.Context, execution.DeadLetter) error{l.CancelReplay, l.Remove} {
		if err := done(t.Context(), taken); err != nil {
			t.Fatal(err)
		}
		if got, err := l.Load(t.Context(), deadLetter.Object); err != nil || got.Failures != 3 {
			t.Errorf("the failure of what was sent again is lost: %+v, %v", got, err)
		}
	}
}

func TestDeadLetter_countsFailures(t *testing.T) {
	each(t, func(t *testing.T, s *objects.Store, l execution.DeadLetterStore) {
		deadLetter := execution.DeadLetter{Execution: "in/cat", Bucket: bucket, EventID: "a/b", Reason: "first",
			Event: json.RawMessage(`{"id":"a/b"}`)}
		keep(t, l, &deadLetter)
		if deadLetter.Object != bucket+"/in/cat/a%2Fb.json" {
			t.Errorf("its key is %q", deadLetter.Object)
		}
		again := deadLetter
		again.Reason = "second"
		keep(t, l, &again)
		got, err := l.Load(t.Context(), deadLetter.Object)
		if err != nil || got.Reason != "second" || got.Failures != 2 || !got.First.Equal(deadLetter.First) ||
			got.Last.Before(deadLetter.Last) {
			t.Errorf("got %+v, %v", got, err)
		}
		info, err := s.Stat(t.Context(), deadLetters, deadLetter.Object)
		if err != nil || !execution.WrittenByUs(info) {
			t.Errorf("WrittenByUs is false for a dead letter: %+v, %v", info, err)
		}

		taken, err := l.BeginReplay(t.Context(), got)
		if err != nil {
			t.Fatal(err)
		}
		if ids := list(t, l, execution.Selection{Execution: "in/cat"}); len(ids) != 1 {
			t.Errorf("a dead letter in replay is listed as %v", ids)
		}
		failsInReplay(t, l, deadLetter, taken)
	})
}

func TestList_selection(t *testing.T) {
	each(t, func(t *testing.T, s *objects.Store, l execution.DeadLetterStore) {
		long := strings.Repeat("long/", 190) + "cat"
		var middle time.Time
		for i, c := range []struct{ bucket, execution string }{
			{bucket, "cat"}, {bucket, "cat/deeper"}, {"others", "cat"}, {bucket, "cat2"},
			{bucket, long}, {bucket, "a//b"}, {bucket, "cat/0.json"}, {bucket, strings.Repeat("n", 240)}, {"", ""},
		} {
			if i == 4 {
				time.Sleep(2 * time.Millisecond)
				middle = time.Now()
			}
			keep(t, l, &execution.DeadLetter{Bucket: c.bucket, Execution: c.execution, EventID: fmt.Sprint(i)})
		}
		keep(t, l, &execution.DeadLetter{Message: "not JSON"})
		for _, c := range []struct {
			name string
			s    execution.Selection
			want string
		}{
			{"all", execution.Selection{}, " 0 1 2 3 4 5 6 7 8"},
			{"a bucket", execution.Selection{Bucket: bucket}, "0 1 3 4 5 6 7"},
			{"an execution", execution.Selection{Bucket: bucket, Execution: "cat"}, "0"},
			{"an execution of any bucket", execution.Selection{Execution: "cat"}, "0 2"},
			{"a long one", execution.Selection{Bucket: bucket, Execution: long}, "4"},
			{"an id that looks like a dead letter", execution.Selection{Bucket: bucket, Execution: "cat/0.json"}, "6"},
			{"since", execution.Selection{Since: middle}, " 4 5 6 7 8"},
			{"until", execution.Selection{Until: middle}, "0 1 2 3"},
		} {
			if got := strings.Join(list(t, l, c.s), " "); got != c.want {
				t.Errorf("%s: got %q, want %q", c.name, got, c.want)
			}
		}
	})
}
