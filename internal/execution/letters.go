package execution

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"iter"
	"net/url"
	"path"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"imageflow.dev/internal/objects"
)

// Selection says which letters are meant; what is left out selects nothing away.
type Selection struct {
	Bucket, Execution string
	// Since and Until bound the time of the last failure, ends included.
	Since, Until time.Time
}

// List loads the letters of a selection, in the order of their keys. One that
// cannot be read comes as an error with the letter's Object, and the list goes
// on; it ends after an error without.
func (l Letters) List(ctx context.Context, s Selection) iter.Seq2[Letter, error] {
	return func(yield func(Letter, error) bool) {
		for entry, err := range l.store.Walk(ctx, l.bucket, s.prefix()) {
			if err != nil {
				yield(Letter{}, err)
				return
			}
			if !isLetter(entry.Key) {
				continue
			}
			letter, err := l.Load(ctx, entry.Key)
			switch {
			case errors.Is(err, objects.ErrNotFound): // removed meanwhile
				continue
			case err != nil:
				letter = Letter{Object: entry.Key}
			case !s.holds(letter):
				continue
			}
			if !yield(letter, err) {
				return
			}
		}
	}
}

func (s Selection) prefix() string {
	switch {
	case s.Bucket == "":
		return ""
	case s.Execution == "":
		return s.Bucket + "/"
	}
	return folder(s.Bucket, s.Execution) + "/"
}

func (s Selection) holds(l Letter) bool {
	return (s.Bucket == "" || l.Bucket == s.Bucket) &&
		(s.Execution == "" || l.Execution == s.Execution) &&
		(s.Since.IsZero() || !l.Last.Before(s.Since)) &&
		(s.Until.IsZero() || !l.Last.After(s.Until))
}

const (
	// unreadable is the folder of letters about no image, or about one that no
	// store can hold.
	unreadable = "unreadable"
	extension  = ".json"
	// sentExtension ends the keys of letters whose event is being sent again.
	sentExtension = extension + ".sent"
)

func sentKey(key string) string { return strings.TrimSuffix(key, extension) + sentExtension }
func unsentKey(key string) string {
	return strings.TrimSuffix(key, sentExtension) + extension
}
func isSent(key string) bool   { return strings.HasSuffix(key, sentExtension) }
func isLetter(key string) bool { return isSent(key) || strings.HasSuffix(key, extension) }
func letterKey(l *Letter) string {
	return folder(l.Bucket, l.Execution) + "/" + fileName(l) + extension
}

// plainKey returns a key that any store takes, for a letter whose own it refuses.
func plainKey(key string) string { return unreadable + "/sha256-" + digestOf(key) + extension }

func digestOf(text string) string {
	d := sha256.Sum256([]byte(text))
	return hex.EncodeToString(d[:16])
}

// The lengths up to which names are used as they are. A file system may be below
// the store, with 255 bytes for a name; a key has 1024.
const (
	maxNameBytes   = 200
	maxFolderBytes = 700
)

// folder returns where the letters of an execution lie. An id that makes no good
// folder is replaced by its digest.
func folder(bucket, execution string) string {
	switch {
	case bucket == "" || execution == "":
		return unreadable
	case !bucketName.MatchString(bucket) || strings.Contains(bucket, ".."):
		return unreadable + "/sha256-" + digestOf(bucket+"/"+execution)
	case plain(execution):
		return bucket + "/" + execution
	}
	return bucket + "/sha256-" + digestOf(execution)
}

// bucketName is how S3 names buckets.
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// plain tells whether an execution id is a path that any store takes, and none
// that may be a letter itself.
func plain(execution string) bool {
	for name := range strings.SplitSeq(execution, "/") {
		if name == "" || name == "." || name == ".." || len(name) > maxNameBytes || isLetter(name) {
			return false
		}
	}
	return len(execution) <= maxFolderBytes && utf8.ValidString(execution) && !strings.ContainsFunc(execution, unicode.IsControl) &&
		path.Clean(execution) == execution && !strings.Contains(execution, `\`)
}

// fileName returns the letter's name in its folder: the event's id, or the
// digest of the message.
func fileName(l *Letter) string {
	if l.EventID == "" {
		return digestOf(l.Message)
	}
	if name := url.PathEscape(l.EventID); len(name) <= maxNameBytes {
		return name
	}
	return digestOf(l.EventID)
}
