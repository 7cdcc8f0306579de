// Package execution reads and writes the state of executions in a bucket: the metadata
// by which the steps, the bridge and the gateway recognise each other's objects, the
// outcome of a chain, and the dead letters.
package execution

import (
	"strconv"

	"imageflow.dev/internal/objects"
)

// The keys, in lower case, of the user metadata of the objects that ImageFlow writes.
const (
	// IDMetadata holds the execution id. Every object that ImageFlow writes has it.
	IDMetadata = "imageflow-execution"
	// KeyMetadata holds a digest of the bucket and the key that the object was written
	// to. A copy keeps its metadata, so the digest shows that it is a copy.
	KeyMetadata = "imageflow-key"
	// StepMetadata holds the name of the step that wrote the object.
	StepMetadata = "imageflow-step"
	// VariantMetadata holds the variant of the outputs of a step. Outputs without a variant do not have it.
	VariantMetadata = "imageflow-variant"
	// SourceMetadata holds the entity tag of the image that the step read.
	SourceMetadata = "imageflow-source-etag"
	// InputMetadata holds the end of the key of the image that the step read, after the execution id, if a step of the
	// execution wrote that image to the same bucket.
	InputMetadata = "imageflow-input"
	// OutputsMetadata holds the number of the outputs of the job, if there were several.
	OutputsMetadata = "imageflow-outputs"
	// OriginMetadata holds the entity tag of the upload that the execution began with. Outputs of earlier
	// versions do not have it, and neither do outputs of images that came in a request.
	OriginMetadata = "imageflow-origin-etag"
	// RequestMetadata holds a digest of everything that determines the output except
	// the image: two outputs with equal source and request are equal.
	RequestMetadata = "imageflow-request"
	// ResponseMetadata holds the step's response as protobuf in base64, if it is short.
	// A longer response is in the side-car.
	ResponseMetadata = "imageflow-facts"
	// WidthMetadata and HeightMetadata hold the size of an image in pixels.
	WidthMetadata  = "imageflow-width"
	HeightMetadata = "imageflow-height"
	// FramesMetadata holds the number of frames of an animation. Still images do not have it.
	FramesMetadata = "imageflow-frames"
	// CropMetadata holds the number of a crop beside the output of a step, from 1. Only crops have it.
	CropMetadata = "imageflow-crop"
	// QualityMetadata holds the quality that was found for a maximum size of an image.
	QualityMetadata = "imageflow-quality"
	// ViewMetadata holds a digest of the image that shows the same in the same places as the object, and was the
	// first to do so: the input of a series of steps that keep places. A side-car has the digest of the image that it
	// describes.
	ViewMetadata = "imageflow-view"
	// SecondsMetadata holds the duration of the step in seconds. Only images have it.
	SecondsMetadata = "imageflow-seconds"
)

// ObjectMetadata returns the metadata by which WrittenByUs recognises an object that
// ImageFlow writes to bucket and key.
func ObjectMetadata(id, bucket, key string) map[string]string {
	return map[string]string{IDMetadata: id, KeyMetadata: digestOf(bucket + "/" + key)}
}

// WrittenByUs reports whether a step or the bridge wrote the object to its bucket and
// key. Objects without KeyMetadata are older than that key, and IDMetadata suffices.
func WrittenByUs(info objects.Info) bool {
	id := info.Metadata[IDMetadata]
	key, ok := info.Metadata[KeyMetadata]
	return id != "" && (!ok || key == ObjectMetadata(id, info.Bucket, info.Key)[KeyMetadata])
}

// Size returns the width and height in pixels of an image that a step wrote, and 0 for
// every other object.
func Size(info objects.Info) (width, height int) {
	width, _ = strconv.Atoi(info.Metadata[WidthMetadata])
	height, _ = strconv.Atoi(info.Metadata[HeightMetadata])
	return width, height
}

// Frames returns the number of frames of an animation that a step wrote, and 0 for every other object.
func Frames(info objects.Info) int {
	frames, _ := strconv.Atoi(info.Metadata[FramesMetadata])
	return frames
}
