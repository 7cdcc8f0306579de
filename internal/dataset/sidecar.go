package dataset

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"
	"unicode"

	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/execution"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// annotated is an image with its boxes.
type annotated struct {
	sideCar string // key
	// bucket and key name the image whose pixels the boxes are in. The ETag is empty if it is not known.
	bucket, key, etag string
	// width and height are in pixels after EXIF orientation.
	width, height  int
	model, version string
	boxes          []box
	classes        []class // of the whole image, the most probable first; a model finds either classes or boxes
	isOriginal     bool    // boxes are in the original that the image with the objects was made from
	outside        int     // boxes outside the image, which are not in boxes
	val            bool
}

// box is one object. Its edges are in pixels from the top left corner, within the image.
type box struct {
	class          int
	name           string
	confidence     float32
	frame          int // of an animation
	x1, y1, x2, y2 float64
	keypoints      []keypoint
	// polygons are around the object, the largest first: x1 y1 x2 y2 and so on, within the image.
	polygons [][]float64
	// runs is the mask of the image; nil for none, or if it is of another image.
	runs *runLengths
}

func (b box) width() float64  { return b.x2 - b.x1 }
func (b box) height() float64 { return b.y2 - b.y1 }

// The reasons why a side-car cannot be exported.
var (
	errNoSideCar  = errors.New("not the side-car of a detection")
	errNoSize     = errors.New("it does not have the size of its image: detect the objects again with this version")
	errNoImage    = errors.New("it does not name its image: the image was in the request")
	errNoOriginal = errors.New("it does not name the original that its boxes are in: detect the objects again with this version")
	errKey        = errors.New("the key of its image is no path of a file")
	errBox        = errors.New("a bbox is no box in pixels: x1 <= x2 and y1 <= y2")
	errKeypoint   = errors.New("a keypoint is no point in pixels")
	errClass      = fmt.Errorf("a class is not in 0 to %d, has no name or a confidence that is no number", maxClass)
)

// maxClass bounds the list of class names.
const maxClass = 99_999

// parse reads a side-car, which is a DetectionResponse in JSON.
func parse(key string, data []byte) (*annotated, error) {
	found := &imageflowv1.DetectionResponse{}
	read := protojson.UnmarshalOptions{DiscardUnknown: true} // of later versions
	if read.Unmarshal(data, found) != nil || found.GetMetadata() == nil {
		return nil, errNoSideCar
	}
	m := found.GetMetadata()
	i := &annotated{
		sideCar: key, model: m.GetModelName(), version: m.GetModelVersion(),
		width: int(m.GetImageWidth()), height: int(m.GetImageHeight()),
	}
	if err := i.name(found); err != nil {
		return nil, err
	}
	if i.width < 1 || i.height < 1 {
		return nil, errNoSize
	}
	for _, d := range found.GetDetections() {
		if err := i.addBox(d); err != nil {
			return nil, err
		}
	}
	for _, c := range found.GetClassifications() {
		if err := i.addClass(c); err != nil {
			return nil, err
		}
	}
	return i, nil
}

// checkClass checks the class of a detection or a classification.
func checkClass(c interface {
	GetClassId() int32
	GetClassName() string
	GetConfidence() float32
}) error {
	if c.GetClassId() < 0 || c.GetClassId() > maxClass || c.GetClassName() == "" || c.GetConfidence()-c.GetConfidence() != 0 {
		return errClass
	}
	return nil
}

// name finds the image whose pixels the boxes are in: the image in which objects were detected or, if
// the detection had the side-car of a resize, the original.
func (i *annotated) name(found *imageflowv1.DetectionResponse) error {
	result, m := found.GetResult(), found.GetMetadata()
	i.bucket, i.key = events.SourceBucket.Get(result), events.SourceKey.Get(result)
	switch {
	case m.GetOriginalFromImage() != nil:
		i.width, i.height, i.isOriginal = int(m.GetOriginalWidth()), int(m.GetOriginalHeight()), true
		resized := i.key
		// Side-cars of earlier versions only have the execution, which is the same in a chain.
		id := cmp.Or(events.ReferenceExecution.Get(result), events.ExecutionID.Get(result))
		if i.key = execution.Key(id); i.key == "" || i.key == resized {
			return errNoOriginal
		}
	case i.key == "":
		return errNoImage
	default:
		i.etag = events.SourceETag.Get(result)
	}
	if !isFileName(i.key) {
		return errKey
	}
	return nil
}

// isFileName reports whether a key is a path below a folder, without control characters.
func isFileName(key string) bool {
	return key == path.Clean(key) && key != "." && key != ".." && !strings.HasPrefix(key, "../") && !path.IsAbs(key) &&
		!strings.ContainsFunc(key, unicode.IsControl)
}

// addBox adds a detection, clipped to the image.
func (i *annotated) addBox(d *imageflowv1.Detection) error {
	edges := d.GetBbox()
	x1, y1, x2, y2 := float64(edges.GetX1()), float64(edges.GetY1()), float64(edges.GetX2()), float64(edges.GetY2())
	if !(x1 <= x2 && y1 <= y2) || math.IsInf(x2-x1, 0) || math.IsInf(y2-y1, 0) { // also true for NaN
		return errBox
	}
	if err := checkClass(d); err != nil {
		return err
	}
	width, height := float64(i.width), float64(i.height)
	b := box{
		class: int(d.GetClassId()), name: d.GetClassName(), confidence: d.GetConfidence(), frame: int(d.GetFrame()),
		x1: max(x1, 0), y1: max(y1, 0), x2: min(x2, width), y2: min(y2, height),
	}
	if b.width() <= 0 || b.height() <= 0 {
		i.outside++
		return nil
	}
	for _, k := range d.GetKeypoints() {
		b.keypoints = append(b.keypoints, keypoint{float64(k.GetX()), float64(k.GetY()), k.Confidence})
	}
	if slices.ContainsFunc(b.keypoints, keypoint.isInvalid) {
		return errKeypoint
	}
	if err := b.addMask(d, i); err != nil {
		return err
	}
	i.boxes = append(i.boxes, b)
	return nil
}
