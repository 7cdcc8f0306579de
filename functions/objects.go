package functions

import (
	"bytes"
	"image"
	"math"
	"slices"
	"strconv"

	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/internal/processors"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Selection is a message that selects objects of an image: given boxes, or those of a detection.
type Selection interface {
	GetBoxes() []*imageflowv1.BoundingBox
	GetDetections() *imageflowv1.ImageData
	GetDetected() bool
	GetClasses() []string
	GetMargin() float64
	GetOnNone() imageflowv1.OnNone
}

// Object is a selected object of an image.
type Object struct {
	// Whole is the region of the object and its margin, in pixels, and At the part of it in the image,
	// which is not empty.
	Whole, At image.Rectangle
	// Polygons are the contours of the object in pixels of the image: those of its mask, or of its rotated box.
	// Objects of other detections and given boxes have none.
	Polygons []*imageflowv1.Polygon
	// IsGiven means that the object is a given box.
	IsGiven bool
	// Confidence is in [0, 1]. That of a given box is 1.
	Confidence float32
	// Frame is the number of the frame in which a detection with frames found the object. Others are
	// in AllFrames.
	Frame int
}

// AllFrames is the Frame of an object that is selected in all frames.
const AllFrames = -1

// CheckSelection rejects a selection that refers to the detection of an image without a place in a
// store. Field is the path of the selection in the request.
func CheckSelection(r Request, s Selection, field string) error {
	if s.GetDetected() && len(r.GetInputBytes()) > 0 {
		return Errorf(Invalid, field+".detected", "needs an image in the store, not input_bytes")
	}
	return nil
}

// SideCarOf returns the side-car of the detection that a selection refers to, and the path of the
// field that does; nil for none. It is for Definition.Reference.
func SideCarOf(s Selection, field string, before processors.Names) (object *imageflowv1.ImageData, path string) {
	switch {
	case s.GetDetected():
		return &imageflowv1.ImageData{ObjectKey: before.Key(processors.Detect) + ".json"}, field + ".detected"
	case s.GetDetections().GetObjectKey() != "":
		return s.GetDetections(), field + ".detections"
	}
	return nil, ""
}

// DescribedBy returns the images that the side-car of a detection names, and whether it has the frames of an
// animation; none if it names none. It is for Definition.Describes.
func DescribedBy(sideCar []byte) (images []*imageflowv1.ImageData, hasFrames bool) {
	found, err := ReadSideCar(sideCar)
	if err != nil {
		return nil, false
	}
	m := found.GetMetadata()
	return Named(m.GetSource(), m.GetOutput(), m.GetOriginal()), m.GetFrames() != nil
}

// Named returns those images that have a name.
func Named(images ...*imageflowv1.ImageData) []*imageflowv1.ImageData {
	return slices.DeleteFunc(images, func(i *imageflowv1.ImageData) bool { return i.GetObjectKey() == "" })
}

// Objects returns the objects of a selection that lie in a part of the image, cut off at its edges, and
// the frames that their detection examined, nil if it examined one frame or there is none.
// The reference of the input is the object that SideCarOf returns. Errors are Invalid.
func Objects(
	s Selection, field string, in Input, part image.Rectangle,
) (all []Object, examined *imageflowv1.ExaminedFrames, _ error) {
	add := func(b *imageflowv1.BoundingBox, o Object) {
		o.Whole = WithMargin(b, s.GetMargin())
		if o.At = o.Whole.Intersect(part); !o.At.Empty() {
			all = append(all, o)
		}
	}
	for _, b := range s.GetBoxes() {
		add(b, Object{Confidence: 1, Frame: AllFrames, IsGiven: true})
	}
	object, path := SideCarOf(s, field, processors.Names{})
	if object == nil {
		return all, nil, nil
	}
	found, err := ReadSideCar(in.Reference)
	if err != nil {
		return nil, nil, Errorf(Invalid, path, "%s", err.Error())
	}
	if err := checkClasses(s, field, found); err != nil {
		return nil, nil, err
	}
	width, height := in.Image.Size()
	detected, err := detections(s.GetClasses(), found, width, height)
	if err != nil {
		return nil, nil, Errorf(Invalid, path, "%s", err.Error())
	}
	examined = found.GetMetadata().GetFrames()
	for _, d := range detected {
		confidence, frame := d.GetConfidence(), int(d.GetFrame())
		if !(confidence >= 0) { // also true for NaN
			confidence = 0
		}
		if examined == nil {
			frame = AllFrames
		}
		add(d.GetBbox(), Object{Polygons: d.GetMask().GetPolygons(), Confidence: min(confidence, 1), Frame: frame})
	}
	return all, examined, nil
}

// maxCoordinate is beyond all pixels of images.
const maxCoordinate = 1 << 24

// WithMargin returns the pixels that a box touches, with a part of its width and height added to
// each side. The parts of a box beyond maxCoordinate are cut off.
func WithMargin(b *imageflowv1.BoundingBox, margin float64) image.Rectangle {
	within := func(v float32) float64 { return min(max(float64(v), -maxCoordinate), maxCoordinate) }
	x1, y1, x2, y2 := within(b.GetX1()), within(b.GetY1()), within(b.GetX2()), within(b.GetY2())
	across, down := margin*(x2-x1), margin*(y2-y1)
	return image.Rectangle{
		image.Pt(int(math.Floor(x1-across)), int(math.Floor(y1-down))),
		image.Pt(int(math.Ceil(x2+across)), int(math.Ceil(y2+down))),
	}
}

// BoxOf returns a rectangle as a box.
func BoxOf(r image.Rectangle) *imageflowv1.BoundingBox {
	return &imageflowv1.BoundingBox{
		X1: float32(r.Min.X), Y1: float32(r.Min.Y), X2: float32(r.Max.X), Y2: float32(r.Max.Y),
	}
}

// IsOfClass reports whether a detection is of one of the classes, given as names or numbers. No
// classes are all classes.
func IsOfClass(d *imageflowv1.Detection, classes []string) bool {
	id := strconv.Itoa(int(d.GetClassId()))
	return len(classes) == 0 || slices.Contains(classes, d.GetClassName()) || slices.Contains(classes, id)
}

// maxSideCarMessages bounds the messages in a side-car, and so the memory that it takes when it is read: above the
// 10,000 detections, with polygons and keypoints, that fit into one.
const maxSideCarMessages = 500_000

// ReadSideCar returns the content of a side-car of a detection.
func ReadSideCar(data []byte) (*imageflowv1.DetectionResponse, error) {
	if bytes.Count(data, []byte("{")) > maxSideCarMessages {
		return nil, errTooMany
	}
	found := &imageflowv1.DetectionResponse{}
	read := protojson.UnmarshalOptions{DiscardUnknown: true} // of later versions
	if read.Unmarshal(data, found) != nil || found.GetMetadata() == nil {
		return nil, errNoSideCar
	}
	return found, nil
}

// maxPoints bounds the coordinates of all polygons in a side-car: twice the points that a detection may have.
const maxPoints = 400_000

// polygonsOf returns the contours of a detection: of its mask, or of its rotated box.
func polygonsOf(d *imageflowv1.Detection) []*imageflowv1.Polygon {
	if corners := d.GetRotatedBox().GetCorners(); len(corners) > 0 {
		return []*imageflowv1.Polygon{{Points: corners}}
	}
	return d.GetMask().GetPolygons()
}

// mapPolygon maps the points of a polygon. It returns false if it has no area, or a point that is none.
func mapPolygon(p *imageflowv1.Polygon, to func(x, y float32) (toX, toY float32)) bool {
	if len(p.GetPoints()) < 6 || len(p.GetPoints())%2 != 0 {
		return false
	}
	for k := 0; k < len(p.Points); k += 2 {
		x, y := to(p.Points[k], p.Points[k+1])
		if !(max(x, -x, y, -y) <= maxCoordinate) { // also true for NaN
			return false
		}
		p.Points[k], p.Points[k+1] = x, y
	}
	return true
}

// detections returns the detections of the classes in a side-car, with boxes and masks in pixels of an image of
// width × height pixels.
func detections(
	classes []string, found *imageflowv1.DetectionResponse, width, height int,
) (all []*imageflowv1.Detection, _ error) {
	if len(found.GetClassifications()) > 0 {
		return nil, errNoBoxes
	}
	toImage, ofPoint, err := fromDetection(found.GetMetadata(), width, height)
	if err != nil {
		return nil, err
	}
	points := 0
	for _, d := range found.GetDetections() {
		if !IsOfClass(d, classes) {
			continue
		}
		d.Bbox = toImage(d.GetBbox())
		if b := d.GetBbox(); !(b.GetX1() <= b.GetX2() && b.GetY1() <= b.GetY2()) { // also true for NaN
			return nil, errNoBox
		}
		d.Mask = &imageflowv1.Mask{Polygons: polygonsOf(d)}
		for _, p := range d.GetMask().GetPolygons() {
			if points += len(p.GetPoints()); !mapPolygon(p, ofPoint) || points > maxPoints {
				return nil, errNoPolygon
			}
		}
		all = append(all, d)
	}
	return all, nil
}

// fromDetection returns the mappings from the boxes and the points of a detection to an image: the image in
// which objects were detected, or the original that it was made from.
func fromDetection(m *imageflowv1.DetectionMetadata, width, height int) (
	toImage func(*imageflowv1.BoundingBox) *imageflowv1.BoundingBox, ofPoint func(x, y float32) (toX, toY float32), err error,
) {
	a := m.GetOriginalFromImage()
	isImage := int(m.GetImageWidth()) == width && int(m.GetImageHeight()) == height
	isOriginal := a != nil && int(m.GetOriginalWidth()) == width && int(m.GetOriginalHeight()) == height
	switch {
	case m.GetImageWidth() == 0:
		return nil, nil, errNoSize
	case isImage && a == nil, isOriginal && (!isImage || isIdentity(a)):
		same := func(b *imageflowv1.BoundingBox) *imageflowv1.BoundingBox { return b }
		return same, func(x, y float32) (float32, float32) { return x, y }, nil
	case isImage && isOriginal:
		return nil, nil, errAmbiguous
	case isImage:
		toImage, ok := Inverse(a)
		if !ok {
			return nil, nil, errNoMap
		}
		ofPoint, _ := inversePoint(a)
		return toImage, ofPoint, nil
	}
	return nil, nil, errOtherImage
}

// sideCarError is the reason why the boxes of a side-car cannot be used.
type sideCarError string

func (e sideCarError) Error() string { return string(e) }

const (
	errTooMany    sideCarError = "not the side-car of a detection: it has more than 500,000 messages"
	errNoSideCar  sideCarError = "not the side-car of a detection"
	errNoSize     sideCarError = "it does not have the size of its image: detect the objects again with this version"
	errNoBoxes    sideCarError = "it is of a model that classifies whole images, which finds no boxes"
	errNoBox      sideCarError = "a bbox is not a box: x1 <= x2 and y1 <= y2"
	errNoPolygon  sideCarError = "a polygon is no list of points, or all have more than 200,000 points"
	errNoMap      sideCarError = "its original_from_image is not a map"
	errOtherImage sideCarError = "it describes neither this image nor one that was made from it: the sizes differ"
	errAmbiguous  sideCarError = "it describes an image and an original of the same size: give the boxes instead"
)
