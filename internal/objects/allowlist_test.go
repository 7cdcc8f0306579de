package objects_test

import (
	"fmt"
	"testing"

	"imageflow.dev/internal/objects"
)

// TestAllowList_prefixes: a list of a bucket is narrowed to its allowed parts.
func TestAllowList_prefixes(t *testing.T) {
	list := objects.AllowList{"photos/new/", "photos/a/b", "files", "photos/a", "photos/new/cats/"}
	for _, c := range []struct{ bucket, prefix, want string }{
		{"files", "", "[\"\"]"}, {"files", "x", `["x"]`}, {"photos", "", `["a" "new/"]`}, {"photos", "n", `["new/"]`},
		{"photos", "new/c", `["new/c"]`}, {"photos", "old", "[]"}, {"others", "", "[]"}, {"photos", "new/../old", "[]"},
	} {
		if got := fmt.Sprintf("%q", list.Prefixes(c.bucket, c.prefix)); got != c.want {
			t.Errorf("%s/%s: %s, want %s", c.bucket, c.prefix, got, c.want)
		}
	}
}

func TestAllowList(t *testing.T) {
	list := objects.AllowList{"files", "photos/incoming/"}
	for _, c := range []struct {
		list        objects.AllowList
		bucket, key string
		want        bool
	}{
		{list, "files", "any/cat.jpg", true},
		{list, "files-of-others", "cat.jpg", false},
		{list, "photos", "incoming/cat.jpg", true},
		{list, "photos", "incoming", false},
		{objects.AllowList{"photos/incoming"}, "photos", "incoming/cat.jpg", true},
		{objects.AllowList{"photos/incoming"}, "photos", "incoming", true},
		{objects.AllowList{"photos/incoming"}, "photos", "incoming-of-others/cat.jpg", false},
		{list, "photos", "private/incoming/cat.jpg", false},
		{list, "photos", "incoming/../private/cat.jpg", false},
		{list, "photos", "incoming/./cat.jpg", false},
		{list, "photos", "incoming/..", false},
		{list, "photos", "incoming/..cat.jpg", true},
		{list, "", "cat.jpg", false},
		{list, "*", "cat.jpg", false},
		{objects.AllowList{"files", "*"}, "others", "cat.jpg", true},
		{nil, "others", "cat.jpg", true},
	} {
		if got := c.list.Contains(c.bucket, c.key); got != c.want {
			t.Errorf("%v, %s/%s: %v", c.list, c.bucket, c.key, got)
		}
	}
}
