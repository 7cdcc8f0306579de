package objects_test

import (
	"slices"
	"testing"

	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/stores"
)

// Not every store supports every key.
func TestWalk_keysWithUnusualCharacters(t *testing.T) {
	stores.Each(t, []string{"keys"}, func(t *testing.T, _ stores.Kind, s *objects.Store) {
		var want []string
		for _, key := range []string{
			"in/two\nlines.jpg", "in/a\tb.jpg", "in/\x01.jpg", "in/\x1f.jpg", "in/\x7f.jpg", "in/\u0085.jpg",
			"in/100%.jpg", "in/%0A.jpg", "in/a+b c.jpg",
			`in/"'<>&.jpg`, "in/日本語.jpg", "in/\ufffe.jpg", "in/a\r.jpg", "in/;?#.jpg", "in/😀.jpg",
		} {
			if _, err := s.Put(t.Context(), "keys", key, "image/jpeg", []byte("x"), nil); err != nil {
				t.Logf("not supported: %q: %v", key, err)
				continue
			}
			want = append(want, key)
		}
		var got []string
		for entry, err := range s.Walk(t.Context(), "keys", "") {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, entry.Key)
			if err := s.SetTags(t.Context(), "keys", entry.Key, entry.ETag, map[string]string{"a": "b"}); err != nil {
				t.Errorf("%q: %v", entry.Key, err)
			}
			if prefix, err := s.GetPrefix(t.Context(), "keys", entry.Key, entry.ETag, 64); err != nil || string(prefix) != "x" {
				t.Errorf("%q begins with %q, %v", entry.Key, prefix, err)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
