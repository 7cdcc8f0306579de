package objects

import (
	"slices"
	"strings"
)

// AllowList names the buckets, or the parts of buckets as "bucket/prefix", that
// requests may use. An empty list, or the entry "*", allows all of them.
type AllowList []string

// Contains reports whether requests may use an object, or the objects whose keys
// begin with key.
func (l AllowList) Contains(bucket, key string) bool {
	return len(l) == 0 || slices.ContainsFunc(l, func(entry string) bool {
		allowed, prefix, _ := strings.Cut(entry, "/")
		return entry == "*" || bucket == allowed && within(key, prefix)
	})
}

// within reports whether a key is the prefix or lies below it, as in a folder: not
// all that begins with "incoming" lies in "incoming".
func within(key, prefix string) bool {
	below, ok := strings.CutPrefix(key, prefix)
	return ok && (prefix == "" || below == "" || strings.HasSuffix(prefix, "/") || below[0] == '/')
}
