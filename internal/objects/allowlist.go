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

// Prefixes returns the prefixes that cover all allowed objects whose keys begin with prefix, in order, and none of them
// begins with another. There are none if no such object is allowed.
func (l AllowList) Prefixes(bucket, prefix string) (all []string) {
	if l.Contains(bucket, prefix) {
		return []string{prefix}
	}
	for _, entry := range l {
		if allowed, part, _ := strings.Cut(entry, "/"); allowed == bucket && strings.HasPrefix(part, prefix) {
			all = append(all, part)
		}
	}
	slices.Sort(all)
	covered := ""
	return slices.DeleteFunc(all, func(part string) bool {
		if covered != "" && strings.HasPrefix(part, covered) {
			return true
		}
		covered = part
		return false
	})
}

// hasFolderPrefix reports whether a key equals prefix or is in the folder prefix.
// "incoming-2/a" begins with "incoming" but is not in that folder, and neither is "incoming/../a": some stores resolve dots.
func hasFolderPrefix(key, prefix string) bool {
	if prefix == "" {
		return true
	}
	below, ok := strings.CutPrefix(key, prefix)
	isInside := below == "" || strings.HasSuffix(prefix, "/") || below[0] == '/'
	return ok && isInside && !slices.ContainsFunc(strings.Split(below, "/"), isDots)
}

// isDots reports whether a part of a key is a folder itself, or the one above it, in a file system.
func isDots(segment string) bool { return segment == "." || segment == ".." }
