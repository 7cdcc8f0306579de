// Package execution is what a bucket tells of executions: the marks by which
// the steps, the bridge and the gateway recognise each other's objects, the dead
// letters, and how the state of an execution follows from them.
package execution

import (
	"strconv"

	"imageflow.dev/internal/objects"
)

// The user metadata of the objects that we write, keys in lower case.
const (
	// IDMetadata has the execution id. Every object of ours has it.
	IDMetadata = "imageflow-execution"
	// KeyMetadata has a digest of the bucket and the key that the object was
	// written to. A copy keeps its metadata, and is thereby known to be none of
	// ours.
	KeyMetadata = "imageflow-key"
	// StepMetadata has the name of the step that wrote the object.
	StepMetadata = "imageflow-step"
	// SourceMetadata has the entity tag of the image that the step read.
	SourceMetadata = "imageflow-source-etag"
	// RequestMetadata has a digest of all that decided the output but the
	// image: two outputs with the same source and request are alike.
	RequestMetadata = "imageflow-request"
	// FactsMetadata has the step's facts, where they are few: the response as
	// protobuf in base64. Else they lie in the side-car.
	FactsMetadata = "imageflow-facts"
	// WidthMetadata and HeightMetadata have the size of an image in pixels.
	WidthMetadata  = "imageflow-width"
	HeightMetadata = "imageflow-height"
	// SecondsMetadata has the step's own time in seconds, on its image.
	SecondsMetadata = "imageflow-seconds"
)

// Mark returns the metadata by which an object that we write to bucket and key is
// recognised as ours.
func Mark(id, bucket, key string) map[string]string {
	return map[string]string{IDMetadata: id, KeyMetadata: digestOf(bucket + "/" + key)}
}

// WrittenByUs reports whether a step or the bridge wrote the object where it lies.
// A mark without KeyMetadata is from before there was one, and is believed.
func WrittenByUs(info objects.Info) bool {
	id := info.Metadata[IDMetadata]
	key, ok := info.Metadata[KeyMetadata]
	return id != "" && (!ok || key == Mark(id, info.Bucket, info.Key)[KeyMetadata])
}

// Size returns width and height in pixels of an image that a step wrote; 0 of
// any other object.
func Size(info objects.Info) (width, height int) {
	width, _ = strconv.Atoi(info.Metadata[WidthMetadata])
	height, _ = strconv.Atoi(info.Metadata[HeightMetadata])
	return width, height
}
