package dataset

import "fmt"

// keypoint is a point of an object. It may lie outside the image.
type keypoint struct {
	X          float64  `json:"x"`
	Y          float64  `json:"y"`
	Confidence *float32 `json:"confidence,omitempty"`
}

// isInvalid reports whether a number is infinite or NaN.
func (k keypoint) isInvalid() bool {
	isFinite := k.X-k.X == 0 && k.Y-k.Y == 0 && (k.Confidence == nil || *k.Confidence-*k.Confidence == 0)
	return !isFinite
}

// minVisible is the confidence from which a keypoint counts as visible.
const minVisible = 0.5

// label returns the keypoint as COCO and YOLO label it: its place in pixels and 2 for visible, or zeros for
// not labelled if it is outside the image or below minVisible.
func (k keypoint) label(i *annotated) (x, y float64, visibility int) {
	inside := k.X >= 0 && k.Y >= 0 && k.X <= float64(i.width) && k.Y <= float64(i.height)
	if !inside || k.Confidence != nil && *k.Confidence < minVisible {
		return 0, 0, 0
	}
	return k.X, k.Y, 2
}

// keypointCount is the number of keypoints of every object; -1 until there is an object. In COCO and YOLO
// all objects of a dataset have the same number.
type keypointCount int

// add adds the objects of an image. Another number than before is an error.
func (c *keypointCount) add(i *annotated) error {
	for _, b := range i.boxes {
		n := keypointCount(len(b.keypoints))
		if *c >= 0 && *c != n {
			return &fatalError{fmt.Errorf("an object has %d keypoints, but those before %d: a dataset has one number;"+
				" choose with --model NAME/VERSION or a longer --prefix, or export as jsonl", n, *c)}
		}
		*c = n
	}
	return nil
}

// names returns the names of the keypoints, which side-cars do not have.
func (c keypointCount) names() (names []string) {
	for n := range max(c, 0) {
		names = append(names, fmt.Sprintf("kp_%d", n))
	}
	return names
}
