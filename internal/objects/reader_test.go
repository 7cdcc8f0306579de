package objects_test

import (
	"errors"
	"io"
	"testing"

	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/stores"
)

func TestReader(t *testing.T) {
	each(t, func(t *testing.T, _ stores.Kind, store *objects.Store) {
		info := put(t, store, "reader/a b", "0123456789", nil)
		r := store.Open(t.Context(), info)
		defer r.Close()
		for _, c := range []struct {
			offset int64
			whence int
			n      int64
			want   string
		}{
			{0, io.SeekStart, 3, "012"},
			{2, io.SeekCurrent, 2, "56"},
			{-2, io.SeekEnd, 10, "89"},
			{0, io.SeekStart, 10, "0123456789"},
			{0, io.SeekEnd, 1, ""},
		} {
			if _, err := r.Seek(c.offset, c.whence); err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(io.LimitReader(r, c.n)); string(got) != c.want || err != nil {
				t.Errorf("from %d (%d): %q, %v; want %q", c.offset, c.whence, got, err, c.want)
			}
		}
		if _, err := r.Seek(-1, io.SeekStart); err == nil {
			t.Error("sought before the start")
		}
		put(t, store, "reader/a b", "changed", nil)
		replaced := store.Open(t.Context(), info)
		defer replaced.Close()
		if _, err := io.ReadAll(replaced); !errors.Is(err, objects.ErrChanged) || !errors.Is(replaced.Err, objects.ErrChanged) {
			t.Errorf("a replaced version: %v, %v", err, replaced.Err)
		}
	})
}
