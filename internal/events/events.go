// Package events is the contract of ImageFlow's events: their types, their
// extension attributes, how they are made and read, which answers make a broker
// send an event again, and the keys of a result's metadata.
//
// Two kinds of events start a step:
//
//   - "object created": an image was uploaded. The bridge makes it, in the form
//     of the CloudEvents adapter for Amazon S3.
//   - "step completed": a step has written its output. The step makes it.
//
// "Execution ended" reports the outcome of a whole execution: completed or failed. The bridge makes it, after it
// has recorded the outcome. No step follows from it.
//
// A dead letter is an event of any type that a broker gave up. The broker adds
// extensions that say why.
package events

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// The parts of the event types, for filters.
const (
	// ObjectCreatedPrefix begins the type of every "object created" event.
	ObjectCreatedPrefix = objectPrefix + "ObjectCreated:"
	// StepPrefix begins the type of every "step completed" event.
	StepPrefix = "dev.imageflow."
	// CompletedSuffix ends the type of every "step completed" event.
	CompletedSuffix = ".completed.v1"

	// ExecutionCompleted and ExecutionFailed are the types of "execution ended" events.
	ExecutionCompleted = StepPrefix + "execution" + CompletedSuffix
	ExecutionFailed    = StepPrefix + "execution.failed.v1"

	// objectPrefix begins the type of every event about an object.
	objectPrefix = "com.amazonaws.s3."
	// storePrefix begins the event names in a store's notifications.
	storePrefix = "s3:"
	// stepSourcePrefix begins the source of every "step completed" event.
	stepSourcePrefix = "/imageflow/"
	// bridgeSource is the source of every "execution ended" event.
	bridgeSource = stepSourcePrefix + "bridge"
)

// IsObjectCreated reports whether an event of this type says that an object was created.
func IsObjectCreated(eventType string) bool { return strings.HasPrefix(eventType, ObjectCreatedPrefix) }

// StepCompletedType returns the type of the event that a step ends with.
func StepCompletedType(step string) string { return StepPrefix + step + CompletedSuffix }

// StepSource returns the source of the event that a step ends with.
func StepSource(step string) string { return stepSourcePrefix + step }

// CompletedStep returns the name of the step whose completion an event of this type
// reports. It returns false for other types.
func CompletedStep(eventType string) (step string, ok bool) {
	step, hasPrefix := strings.CutPrefix(eventType, StepPrefix)
	step, hasSuffix := strings.CutSuffix(step, CompletedSuffix)
	return step, hasPrefix && hasSuffix && !IsOutcome(eventType)
}

// IsOutcome reports whether an event of this type is an "execution ended" event.
func IsOutcome(eventType string) bool {
	return eventType == ExecutionCompleted || eventType == ExecutionFailed
}

// idOf returns an event id that is a digest of the parts: equal parts give equal ids.
func idOf(parts ...string) string {
	digest := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(digest[:16])
}
