package objects

import (
	"slices"
	"strings"
)

// AllowList lists the buckets, or parts of buckets as "bucket/prefix", that requests
// may use. An empty list, or the entry "*", allows all buckets.
type AllowList []string

// Contains reports whether the list allows an object, or all objects whose keys begin
// with key.
func (l AllowList) Contains(bucket, key string) bool {
	return len(l) == 0 || slices.ContainsFunc(l, func(entry string) bool {
		allowed, prefix, _ := strings.Cut(entry, "/")
		return entry == "*" || bucket == allowed && hasFolderPrefix(key, prefix)
	})
}

// hasFolderPrefix reports whether a key equals prefix or is in the folder prefix.
// "incoming-2/a" begins with "incoming" but is not in that folder.
func hasFolderPrefix(key, prefix string) bool {
	below, ok := strings.CutPrefix(key, prefix)
	return ok && (prefix == "" || below == "" || strings.HasSuffix(prefix, "/") || below[0] == '/')
}
