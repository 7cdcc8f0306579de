package execution_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
)

// TestPut_keepsTheEventByteByByte, since the event may be signed.
func TestPut_keepsTheEventByteByByte(t *testing.T) {
	each(t, func(t *testing.T, _ *objects.Store, l execution.DeadLetterStore) {
		event := "{\n\t\"id\": \"1\",  \"data\": {\"b\":1, \"a\":\"<\\u2028>\u2028\", \"n\": 1.0}\r\n}"
		deadLetter := execution.DeadLetter{Execution: "cat", Bucket: bucket, EventID: "1", Event: json.RawMessage(event)}
		keep(t, l, &deadLetter)
		taken, err := l.BeginReplay(t.Context(), deadLetter)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.CancelReplay(t.Context(), taken); err != nil {
			t.Fatal(err)
		}
		got, err := l.Load(t.Context(), deadLetter.Object)
		if err != nil || string(got.Event) != event {
			t.Errorf("got %q, %v", got.Event, err)
		}
	})
}

// TestPut_truncates: every stored dead letter can be loaded.
func TestPut_truncates(t *testing.T) {
	long := strings.Repeat("\x01", 1<<20)
	large := `{"data":"` + strings.Repeat("x", 7<<20) + `"}`
	deep := `{"data":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "}"
	each(t, func(t *testing.T, _ *objects.Store, l execution.DeadLetterStore) {
		for name, deadLetter := range map[string]execution.DeadLetter{
			"large":         {EventID: "large", Event: json.RawMessage(large)},
			"deep":          {EventID: "deep", Event: json.RawMessage(deep)},
			"no JSON":       {EventID: "none", Event: json.RawMessage(`{"data":`)},
			"bytes":         {Message: "\xff\xfe" + long},
			"long fields":   {EventID: long, EventType: long, Reason: long, Step: long, Key: long, ETag: long, Message: long},
			"long location": {EventID: "location", Bucket: long, Execution: long, Event: json.RawMessage(`{"data":"x"}`)},
		} {
			message := deadLetter.Message + string(deadLetter.Event)
			keep(t, l, &deadLetter)
			got, err := l.Load(t.Context(), deadLetter.Object)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			cut := len(message) > 256<<10 || name == "bytes"
			if cut != (got.Whole != nil) || (cut && got.Whole.Bytes != len(message)) {
				t.Errorf("%s: the whole message of %d bytes is described as %+v", name, len(message), got.Whole)
			}
			if replayable := name == "long location"; replayable != (got.Event != nil) || replayable == (got.Message != "") {
				t.Errorf("%s: event %.50s, message %.50q", name, got.Event, got.Message)
			}
		}
	})
}

// TestPut_replacesUnreadableObject: an object at the key of a dead letter that is not a dead
// letter, or is too large, blocks neither this dead letter nor others.
func TestPut_replacesUnreadableObject(t *testing.T) {
	each(t, func(t *testing.T, s *objects.Store, l execution.DeadLetterStore) {
		for i, old := range []string{"no JSON", `{"first":7}`, strings.Repeat("[", 20000), strings.Repeat("x", 9<<20), ""} {
			id := fmt.Sprint("cat", i)
			deadLetter := execution.DeadLetter{Execution: id, Bucket: bucket, EventID: "e", Reason: "new", Event: json.RawMessage(`{}`)}
			spoil := func(key string) {
				if _, err := s.Put(t.Context(), deadLetters, key, "application/json", []byte(old), nil); err != nil {
					t.Fatal(err)
				}
			}
			key := bucket + "/" + id + "/e.json"
			spoil(key)
			if _, err := l.Load(t.Context(), key); !errors.Is(err, execution.ErrUnreadable) {
				t.Errorf("%d: loaded with %v", i, err)
			}
			if _, err := execution.Find(t.Context(), s, l, bucket, id); !errors.Is(err, objects.ErrNotFound) {
				t.Errorf("%d: found with %v", i, err)
			}
			keep(t, l, &deadLetter)
			taken, err := l.BeginReplay(t.Context(), deadLetter)
			if err != nil {
				t.Fatal(err)
			}
			spoil(key)
			if err := l.CancelReplay(t.Context(), taken); err != nil {
				t.Errorf("%d: returned with %v", i, err)
			}
			if got, err := l.Load(t.Context(), key); err != nil || got.Reason != "new" || got.Failures != 1 {
				t.Errorf("%d: got %+v, %v", i, got, err)
			}
		}
	})
}

// TestPut_invalidNames: the dead letter is stored, and its failures are counted.
func TestPut_invalidNames(t *testing.T) {
	each(t, func(t *testing.T, _ *objects.Store, l execution.DeadLetterStore) {
		names := []struct{ bucket, execution string }{
			{"..", "x"}, {".", "x"}, {"UPPER", "x"}, {"a", "x"}, {"ab..cd", "x"}, {"imageflow-files:80", "x"}, {"a/b", "x"},
			{"unreadable", "x"}, {"\x00", "x"}, {bucket, "a\x00b"}, {bucket, "../../x"}, {bucket, "a\xffb"}, {bucket, "a\nb"},
			{bucket, strings.Repeat("k", 1100)}, {bucket, strings.Repeat("k/", 550)}, {bucket, "a//b"}, {bucket, "/"}, {bucket, `a\b`},
			{bucket, " "}, {bucket, "a "}, {bucket, "a?b#c%2f*:|\"<>"}, {bucket, "日本語"},
		}
		for _, name := range names {
			for failures := range 2 {
				deadLetter := &execution.DeadLetter{Bucket: name.bucket, Execution: name.execution, EventID: "../\n%\xff.json",
					Event: json.RawMessage(`{}`)}
				if err := l.Put(t.Context(), deadLetter); err != nil || deadLetter.Failures != failures+1 {
					t.Errorf("%q: %v, after %d failures", name, err, deadLetter.Failures)
				}
			}
		}
		if n := len(list(t, l, execution.Selection{})); n != len(names) {
			t.Errorf("%d dead letters are listed, want %d", n, len(names))
		}
	})
}
