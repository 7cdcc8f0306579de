package execution

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"path"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// unreadable is the folder of the dead letters that name no image, or an image
	// whose name no store accepts.
	unreadable = "unreadable"
	extension  = ".json"
	// replayExtension ends the keys of the dead letters whose event is being sent again.
	replayExtension = extension + ".sent"
)

func replayKey(key string) string { return strings.TrimSuffix(key, extension) + replayExtension }

func originalKey(key string) string { return strings.TrimSuffix(key, replayExtension) + extension }

func isReplayKey(key string) bool { return strings.HasSuffix(key, replayExtension) }

func isDeadLetterKey(key string) bool {
	return isReplayKey(key) || strings.HasSuffix(key, extension)
}

func deadLetterKey(d *DeadLetter) string {
	return folder(d.Bucket, d.Execution) + "/" + fileName(d) + extension
}

// digestKey returns a key that every store accepts, for a dead letter whose own key was
// refused.
func digestKey(key string) string { return unreadable + "/sha256-" + digestOf(key) + extension }

func digestOf(text string) string {
	d := sha256.Sum256([]byte(text))
	return hex.EncodeToString(d[:16])
}

// The lengths up to which names are part of a key. The store may keep its objects in a
// file system, which limits a name to 255 bytes. S3 limits a key to 1024 bytes.
const (
	maxNameBytes   = 200
	maxFolderBytes = 700
)

// folder returns the folder of an execution's dead letters. It replaces an id that is
// not a usable path by its digest.
func folder(bucket, execution string) string {
	switch {
	case bucket == "" || execution == "":
		return unreadable
	case !bucketName.MatchString(bucket) || strings.Contains(bucket, ".."):
		return unreadable + "/sha256-" + digestOf(bucket+"/"+execution)
	case isPath(execution):
		return bucket + "/" + execution
	}
	return bucket + "/sha256-" + digestOf(execution)
}

// bucketName matches the bucket names that S3 accepts.
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// isPath reports whether an execution id is a path that every store accepts and that
// has no name of a dead letter in it.
func isPath(execution string) bool {
	for name := range strings.SplitSeq(execution, "/") {
		if name == "" || name == "." || name == ".." || len(name) > maxNameBytes || isDeadLetterKey(name) {
			return false
		}
	}
	return len(execution) <= maxFolderBytes && utf8.ValidString(execution) && !strings.ContainsFunc(execution, unicode.IsControl) &&
		path.Clean(execution) == execution && !strings.Contains(execution, `\`)
}

// fileName returns the name of a dead letter in its folder: the event's id, or a digest
// of the message.
func fileName(d *DeadLetter) string {
	if d.EventID == "" {
		return digestOf(d.Message)
	}
	if name := url.PathEscape(d.EventID); len(name) <= maxNameBytes {
		return name
	}
	return digestOf(d.EventID)
}
