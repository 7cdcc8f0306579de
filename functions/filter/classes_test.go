package filter_test

import (
	"image"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// A redaction by a class that the detection cannot have found hides nothing, so it must not succeed. Side-cars of earlier
// versions do not list the classes: there, a class that was not found is an error if there must be a region.
func TestRedaction_ofClasses(t *testing.T) {
	const pass, fail = imageflowv1.OnNone_ON_NONE_PASS, imageflowv1.OnNone_ON_NONE_FAIL
	listed := map[int32]string{0: "face", 1: "plate", 4: "book"}
	for _, c := range []struct {
		names   map[int32]string
		classes []string
		onNone  imageflowv1.OnNone
		says    string // empty for no error
	}{
		{listed, []string{"face", "book"}, pass, ""},
		{listed, []string{"4"}, pass, ""},
		{listed, []string{"face", "bok"}, pass, `a class "bok"; of the 3 classes that it looked for, the nearest are "book", `},
		{listed, []string{"Face"}, pass, "Face"},
		{listed, []string{"face", "3"}, pass, `"3"`},
		{nil, []string{"face", "bok"}, pass, ""},
		{nil, []string{"0"}, fail, ""},
		{nil, []string{"face", "bok"}, fail, "detect the objects again"},
	} {
		sideCar, err := protojson.Marshal(&imageflowv1.DetectionResponse{
			Detections: []*imageflowv1.Detection{{ClassName: "face", Bbox: boxOf(image.Rect(10, 20, 30, 40))}},
			Metadata:   &imageflowv1.DetectionMetadata{ImageWidth: 40, ImageHeight: 60, ClassNames: c.names},
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = redactWith(t, redacting(fill, &imageflowv1.Redaction{
			Detections: &imageflowv1.ImageData{ObjectKey: "x.json"}, Classes: c.classes, OnNone: c.onNone,
		}), sideCar)
		last := len(c.classes) - 1
		field := "redaction.classes[" + string(rune('0'+last)) + "]"
		if c.says == "" && err != nil || c.says != "" && (!isInvalid(err, field) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%v of %v, %v: %v, want %q for %s", c.classes, c.names, c.onNone, err, c.says, field)
		}
	}
}
