// Package execution is what a bucket tells of executions: the marks by which
// the steps, the bridge and the gateway recognise each other's objects, the dead
// letters, and how the state of an execution follows from them.
package execution

import (
	"path"
	"strconv"
	"strings"

	"imageflow.dev/internal/objects"
)

// The user metadata of the objects that we write, keys in lower case.
const (
	// IDMetadata has the execution id. Every object of ours has it; events of
	// such objects start no chain.
	IDMetadata = "imageflow-execution"
	// StepMetadata has the name of the step that wrote the object.
	StepMetadata = "imageflow-step"
	// SourceMetadata has the entity tag of the picture that the step read.
	SourceMetadata = "imageflow-source-etag"
	// RequestMetadata has a digest of all that decided the output but the
	// picture: two outputs with the same source and request are alike.
	RequestMetadata = "imageflow-request"
	// FactsMetadata has the step's facts, where they are few: the response as
	// protobuf in base64. Else they lie in the side-car.
	FactsMetadata = "imageflow-facts"
	// WidthMetadata and HeightMetadata have the size of a picture in pixels.
	WidthMetadata  = "imageflow-width"
	HeightMetadata = "imageflow-height"
	// SecondsMetadata has the step's own time in seconds, on its picture.
	SecondsMetadata = "imageflow-seconds"
)

// The tag that a source object gets when its chain has ended.
const (
	StatusTag       = "imageflow-status"
	StatusCompleted = "completed"
	StatusFailed    = "failed"
)

// ID returns the execution id of an uploaded object: its key without the
// extension. A name that is nothing else, such as ".jpg", stays whole.
func ID(key string) string {
	if name := path.Base(key); name == path.Ext(name) {
		return key
	}
	return strings.TrimSuffix(key, path.Ext(key))
}

// Ours tells whether a step or the bridge wrote the object, by its metadata.
func Ours(info objects.Info) bool { return info.Metadata[IDMetadata] != "" }

// Size returns width and height in pixels of a picture that a step wrote; 0 of
// any other object.
func Size(info objects.Info) (width, height int) {
	width, _ = strconv.Atoi(info.Metadata[WidthMetadata])
	height, _ = strconv.Atoi(info.Metadata[HeightMetadata])
	return width, height
}

// Ended tells whether an object's tags say that its chain has ended.
func Ended(tags map[string]string) bool {
	return tags[StatusTag] == StatusCompleted || tags[StatusTag] == StatusFailed
}
