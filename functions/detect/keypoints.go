package detect

import (
	"fmt"
	"image"
	"image/color"
	"math"

	"google.golang.org/protobuf/proto"

	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// keypointsKey is the name of the metadata with the shape of keypoints, in exports of Ultralytics.
const keypointsKey = "kpt_shape"

// keypointShape is the number of keypoints of an object, and of the values of each: x, y and, if there
// are three, the confidence.
type keypointShape struct{ count, values int }

// maxKeypoints bounds the keypoints of an object.
const maxKeypoints = 1000

// parseKeypointShape parses the metadata, as in [17, 3].
func parseKeypointShape(text string) (keypointShape, error) {
	count, values := parseSize(text)
	if count < 1 || count > maxKeypoints || values != 2 && values != 3 {
		return keypointShape{}, fmt.Errorf("its task is %q, but %s is %q: it must be the number of keypoints and of the values of "+
			"each, 2 or 3, as in [17, 3]", poseTask, keypointsKey, text)
	}
	return keypointShape{count, values}, nil
}

// keypoint is a point of an object, such as an elbow. The confidence that it is visible is NaN if the
// model has none.
type keypoint struct{ x, y, confidence float32 }

// read returns the keypoints in a row.
func (s keypointShape) read(t table, row int) []keypoint {
	points := make([]keypoint, s.count)
	for i := range points {
		at := i * s.values
		points[i] = keypoint{t.at(row, at), t.at(row, at+1), float32(math.NaN())}
		if s.values == 3 {
			points[i].confidence = t.at(row, at+2)
		}
	}
	return points
}

func (k keypoint) hasConfidence() bool { return k.confidence == k.confidence }

func (k keypoint) message() *imageflowv1.Keypoint {
	m := &imageflowv1.Keypoint{X: k.x, Y: k.y}
	if k.hasConfidence() {
		m.Confidence = proto.Float32(k.confidence)
	}
	return m
}

// minDrawnConfidence is the confidence of the visibility from which a keypoint is drawn, as in
// Annotator.kpts of Ultralytics.
const minDrawnConfidence = 0.25

// draw returns a square around the point, if it is in the image and visible.
func (k keypoint) draw(width, height int, paint color.RGBA) []imaging.Patch {
	inside := k.x >= 0 && k.y >= 0 && k.x < float32(width) && k.y < float32(height)
	if !inside || k.hasConfidence() && k.confidence < minDrawnConfidence {
		return nil
	}
	line := lineWidth(width, height)
	corner := image.Pt(int(k.x)-line, int(k.y)-line)
	return []imaging.Patch{{At: image.Rectangle{corner, corner.Add(image.Pt(3*line, 3*line))}, Colour: paint}}
}
