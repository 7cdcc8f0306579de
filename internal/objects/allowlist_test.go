package objects_test

import (
	"testing"

	"imageflow.dev/internal/objects"
)

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
