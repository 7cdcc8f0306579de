package events

import (
	"errors"
	"fmt"
	"unicode/utf8"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// MaxChainLength limits the steps of a chain whose Triggers lead back into it. Brokers do not end such
// a loop, or only after hundreds of steps and without a dead letter.
const MaxChainLength = 16

// Input returns the image that an event is about, and its execution id. The id is empty for a new object:
// it follows from the object's key. The data must be within the limits of its reader.
func Input(e *cloudevent.Event) (image *imageflowv1.ImageData, execution string, err error) {
	if IsObjectCreated(e.Type()) {
		object, err := ParseObjectCreated(e)
		switch {
		case err != nil:
			return nil, "", err
		case !utf8.ValidString(object.Key):
			return nil, "", errors.New("the object's key is not UTF-8")
		}
		return &imageflowv1.ImageData{Bucket: object.Bucket, ObjectKey: object.Key, Etag: object.ETag}, "", nil
	}
	if _, ok := CompletedStep(e.Type()); !ok {
		return nil, "", fmt.Errorf("events of type %.64q are not supported", e.Type())
	}
	result, err := ParseStepCompleted(e)
	if err != nil {
		return nil, "", err
	}
	output := result.GetOutputImage()
	return &imageflowv1.ImageData{
		Bucket: output.GetBucket(), ObjectKey: output.GetObjectKey(), Etag: output.GetEtag(),
	}, ExecutionID.Get(result), nil
}
