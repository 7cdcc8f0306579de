package index_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/index"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/stores"
)

const bucket = "dead-letters"

// at is a time, i seconds after the first.
func at(i int) time.Time { return time.Date(2026, 11, 28, 8, 0, i, 0, time.UTC) }

// parts is what bridges learn of one execution, whose upload is replaced once.
var parts = []index.Entry{
	{Key: "cat.jpg", ETag: "1", Size: 7, Arrived: at(1)},
	{Steps: []index.Step{{Name: "resize", At: at(2)}}},
	{Outcome: index.Outcome{Status: execution.StatusFailed, ETag: "1", At: at(3)}},
	{Key: "cat.jpg", ETag: "2", Size: 8, Arrived: at(4)},
	{Steps: []index.Step{{Name: "resize", At: at(5)}}},
	{Steps: []index.Step{{Name: "detect", At: at(6)}}},
	{Outcome: index.Outcome{Status: execution.StatusCompleted, ETag: "2", At: at(7)}},
}

// TestMerge: the result depends neither on the order of the parts nor on repetitions.
func TestMerge(t *testing.T) {
	states := []execution.State{
		execution.Pending, execution.Running, execution.Failed, execution.Pending, execution.Running, execution.Running,
		execution.Completed,
	}
	var inOrder index.Entry
	for i, part := range parts {
		inOrder.Merge(part)
		if inOrder.State() != states[i] {
			t.Errorf("after part %d: state %v, want %v", i, inOrder.State(), states[i])
		}
	}
	if steps := inOrder.CurrentSteps(); len(steps) != 2 || steps[0] != parts[4].Steps[0] || steps[1] != parts[5].Steps[0] {
		t.Errorf("the steps are %v", steps)
	}
	for range 100 {
		var shuffled index.Entry
		for _, i := range append(rand.Perm(len(parts)), rand.Perm(len(parts))...) {
			shuffled.Merge(parts[i])
		}
		if !reflect.DeepEqual(shuffled, inOrder) {
			t.Fatalf("another order gives\n%+v, not\n%+v", shuffled, inOrder)
		}
	}
}

// TestCurrentSteps: outputs count for the version of the upload that they name, whatever their time. Those of the version
// before do not count.
func TestCurrentSteps(t *testing.T) {
	var e index.Entry
	for _, part := range []index.Entry{
		{Key: "cat.jpg", ETag: "1", Arrived: at(1)},
		{Steps: []index.Step{{Name: "resize", ETag: "1", At: at(2)}}},
		{Outcome: index.Outcome{Status: execution.StatusCompleted, ETag: "1", At: at(3)}},
		{Key: "cat.jpg", ETag: "1", Arrived: at(4)}, // the same bytes again: resize writes nothing
		{Outcome: index.Outcome{Status: execution.StatusCompleted, ETag: "1", At: at(5)}},
	} {
		e.Merge(part)
	}
	if steps := e.CurrentSteps(); len(steps) != 1 || e.State() != execution.Completed {
		t.Errorf("%v with the steps %v after the same bytes were put again, want it completed with resize", e.State(), steps)
	}
	e.Merge(index.Entry{Key: "cat.jpg", ETag: "2", Arrived: at(6)})
	e.Merge(index.Entry{Steps: []index.Step{{Name: "detect", ETag: "1", At: at(7)}}})
	if steps := e.CurrentSteps(); len(steps) != 0 || e.State() != execution.Pending {
		t.Errorf("%v with the steps %v of the version before, want it pending with none", e.State(), steps)
	}
}

// readAll returns the merged entries of an index, and the number of its segments.
func readAll(t *testing.T, s *objects.Store) (all map[string]*index.Entry, segments int) {
	t.Helper()
	all = map[string]*index.Entry{}
	err := index.NewTail(s, bucket, time.Now().Add(-time.Hour)).Read(t.Context(), func(_ string, entries []index.Entry) {
		segments++
		for _, e := range entries {
			if all[e.ID] == nil {
				all[e.ID] = &index.Entry{Bucket: e.Bucket, ID: e.ID}
			}
			all[e.ID].Merge(e)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return all, segments
}

// write writes a segment of each entry.
func write(t *testing.T, s *objects.Store, entries ...index.Entry) {
	t.Helper()
	for _, e := range entries {
		w := index.NewWriter(s, bucket)
		w.Append(e)
		if err := w.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func arrival(i int) index.Entry {
	id := fmt.Sprintf("in/%d", i)
	return index.Entry{Bucket: "images", ID: id, Key: id + ".jpg", ETag: "1", Arrived: at(i)}
}

// TestTail: a tail reads each entry of several writers once, and skips damaged segments.
func TestTail(t *testing.T) {
	stores.Each(t, []string{bucket}, func(t *testing.T, _ stores.Kind, s *objects.Store) {
		tail, seen := index.NewTail(s, bucket, time.Now().Add(-time.Hour)), map[string]int{}
		read := func() {
			t.Helper()
			if err := tail.Read(t.Context(), func(_ string, entries []index.Entry) {
				for _, e := range entries {
					seen[e.ID]++
				}
			}); err != nil {
				t.Fatal(err)
			}
		}
		write(t, s, arrival(1), arrival(2))
		read()
		day := time.Now().UTC().Format("20060102/1504/")[:len("20060102/150")] + "0/"
		for name, content := range map[string]string{"empty": "", "text": "no gzip", "huge": strings.Repeat("x", 5<<20)} {
			key := execution.IndexFolder + day + time.Now().UTC().Format("20060102T150405.000000Z-") + name + ".gz"
			if _, err := s.Put(t.Context(), bucket, key, "application/gzip", []byte(content), nil); err != nil {
				t.Fatal(err)
			}
		}
		write(t, s, arrival(3))
		read()
		read()
		if len(seen) != 3 || seen["in/1"] != 1 || seen["in/2"] != 1 || seen["in/3"] != 1 {
			t.Errorf("read %v", seen)
		}
	})
}

// TestCompact: a compaction changes no entry, whatever was left by one that was interrupted.
func TestCompact(t *testing.T) {
	stores.Each(t, []string{bucket}, func(t *testing.T, _ stores.Kind, s *objects.Store) {
		ended := arrival(1)
		ended.Outcome = index.Outcome{Status: execution.StatusCompleted, ETag: "1", At: at(100)}
		write(t, s, arrival(1), arrival(2), ended, arrival(3), arrival(2))
		before, _ := readAll(t, s)
		hour := time.Now().Add(-time.Hour)
		if err := index.Compact(t.Context(), s, bucket, hour, time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, segments := readAll(t, s); segments != 5 {
			t.Errorf("new segments were folded: %d are left", segments)
		}
		later := time.Now().Add(50 * time.Minute)
		if err := index.Compact(t.Context(), s, bucket, hour, later); err != nil {
			t.Fatal(err)
		}
		after, segments := readAll(t, s)
		if segments > 2 || !reflect.DeepEqual(before, after) || len(after) != 3 { // 2 if a window has just begun
			t.Errorf("%d segments with %v instead of %v", segments, after, before)
		}
		write(t, s, ended) // as if it had not been removed
		if again, _ := readAll(t, s); !reflect.DeepEqual(before, again) {
			t.Errorf("with a repetition: %v", again)
		}
	})
}

// TestExpire: old segments are removed, and dead letters are listed without the index.
func TestExpire(t *testing.T) {
	stores.Each(t, []string{bucket}, func(t *testing.T, _ stores.Kind, s *objects.Store) {
		write(t, s, arrival(1), arrival(2))
		letters := execution.NewDeadLetterStore(s, bucket)
		for _, b := range []string{"0images", "images"} {
			if err := letters.Put(t.Context(), &execution.DeadLetter{Bucket: b, Execution: "cat", EventID: "1"}); err != nil {
				t.Fatal(err)
			}
		}
		listed := 0
		for _, err := range letters.List(t.Context(), execution.Selection{}) {
			if listed++; err != nil {
				t.Fatal(err)
			}
		}
		if err := index.Expire(t.Context(), s, bucket, time.Now().Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
		if left, _ := readAll(t, s); len(left) != 2 {
			t.Errorf("%d entries are left of a new index", len(left))
		}
		if err := index.Expire(t.Context(), s, bucket, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if left, _ := readAll(t, s); listed != 2 || len(left) != 0 {
			t.Errorf("listed %d dead letters; %d entries are left of an expired index", listed, len(left))
		}
	})
}

// TestListLongWindow: a list goes through a window with more entries than one page may scan.
func TestListLongWindow(t *testing.T) {
	stores.Each(t, []string{bucket}, func(t *testing.T, _ stores.Kind, s *objects.Store) {
		const n = 60_000
		w := index.NewWriter(s, bucket)
		now := time.Now().UTC().Add(-time.Second)
		for i := range n {
			e := arrival(i)
			if e.Arrived = now.Add(-time.Duration(i) * time.Microsecond); i%20_000 == 0 {
				if err := w.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				w = index.NewWriter(s, bucket)
			}
			w.Append(e)
		}
		if err := w.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		last := arrival(n - 1).ID
		q := index.Query{Bucket: "images", Match: func(e *index.Entry) bool { return e.ID == last }}
		r, found, pages := index.NewReader(s, bucket), []string{}, 0
		for after := (&index.Cursor{}); after != nil && pages < 10; pages++ {
			page, next, err := r.List(t.Context(), q, *after, 50, now.Add(-time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page {
				found = append(found, e.ID)
			}
			after = next
		}
		if len(found) != 1 || found[0] != last || pages > 3 {
			t.Errorf("%d pages with %v, want %s", pages, found, last)
		}
	})
}
