package filter

import (
	"image"
	"math"
	"slices"
	"strconv"

	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/functions"
	"imageflow.dev/internal/processors"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// detectionsField is the request's field of the side-car of a detection.
const detectionsField = "redaction.detections"

// detectionsObject returns the side-car of the detection whose boxes are hidden, nil for none.
func detectionsObject(r *imageflowv1.FilterRequest, execution string) (object *imageflowv1.ImageData, field string) {
	switch {
	case r.GetRedaction().GetDetected():
		return &imageflowv1.ImageData{ObjectKey: execution + "_" + processors.Detect.Suffix + ".json"}, "redaction.detected"
	case r.GetRedaction().GetDetections().GetObjectKey() != "":
		return r.GetRedaction().GetDetections(), detectionsField
	}
	return nil, ""
}

// regions returns the regions of a redaction in an image, with their margins. None is empty, and
// each lies inside the image.
func regions(r *imageflowv1.FilterRequest, in functions.Input) (*frameRegions, error) {
	h := &frameRegions{invert: r.GetRedaction().GetInvert()}
	width, height := in.Image.Size()
	add := func(to []image.Rectangle, b *imageflowv1.BoundingBox) []image.Rectangle {
		at := withMargin(b, r.GetRedaction().GetMargin()).Intersect(image.Rect(0, 0, width, height))
		if at.Empty() {
			return to
		}
		return append(to, at)
	}
	for _, b := range r.GetRedaction().GetBoxes() {
		h.always = add(h.always, b)
	}
	object, field := detectionsObject(r, "")
	if object == nil {
		return h, nil
	}
	err := h.addDetected(r.GetRedaction().GetClasses(), in, add)
	if err != nil {
		return nil, functions.Errorf(functions.Invalid, field, "%s", err.Error())
	}
	return h, nil
}

// addDetected adds the boxes of the classes in a side-car. Its errors are of the side-car.
func (h *frameRegions) addDetected(
	classes []string, in functions.Input, add func([]image.Rectangle, *imageflowv1.BoundingBox) []image.Rectangle,
) error {
	found, err := readSideCar(in.Reference)
	if err != nil {
		return err
	}
	h.examined, h.detected = found.GetMetadata().GetFrames(), map[int][]image.Rectangle{}
	if err := h.checkFrames(in.Image.Number(), in.Image.SelectedFrames(), in.Image.AnimationFrames()); err != nil {
		return err
	}
	width, height := in.Image.Size()
	toImage, err := fromDetection(found.GetMetadata(), width, height)
	if err != nil {
		return err
	}
	for _, d := range found.GetDetections() {
		id := strconv.Itoa(int(d.GetClassId()))
		if len(classes) > 0 && !slices.Contains(classes, d.GetClassName()) && !slices.Contains(classes, id) {
			continue
		}
		b := toImage(d.GetBbox())
		if !(b.GetX1() <= b.GetX2() && b.GetY1() <= b.GetY2()) { // also true for NaN
			return errNoBox
		}
		if frame := int(d.GetFrame()); h.examined != nil {
			h.detected[frame] = add(h.detected[frame], b)
		} else {
			h.always = add(h.always, b)
		}
	}
	return nil
}

// readSideCar returns the content of a side-car of a detection.
func readSideCar(data []byte) (*imageflowv1.DetectionResponse, error) {
	found := &imageflowv1.DetectionResponse{}
	read := protojson.UnmarshalOptions{DiscardUnknown: true} // of later versions
	if read.Unmarshal(data, found) != nil || found.GetMetadata() == nil {
		return nil, errNoSideCar
	}
	return found, nil
}

// withMargin returns the pixels that a box touches, with a part of its width and height added to
// each side. The parts of a box beyond maxCoordinate are cut off.
func withMargin(b *imageflowv1.BoundingBox, margin float64) image.Rectangle {
	const maxCoordinate = 1 << 24
	within := func(v float32) float64 { return min(max(float64(v), -maxCoordinate), maxCoordinate) }
	x1, y1, x2, y2 := within(b.GetX1()), within(b.GetY1()), within(b.GetX2()), within(b.GetY2())
	across, down := margin*(x2-x1), margin*(y2-y1)
	return image.Rectangle{
		image.Pt(int(math.Floor(x1-across)), int(math.Floor(y1-down))),
		image.Pt(int(math.Ceil(x2+across)), int(math.Ceil(y2+down))),
	}
}

// fromDetection returns the mapping from the boxes of a detection to an image: the image in which
// objects were detected, or the original that it was made from.
func fromDetection(m *imageflowv1.DetectionMetadata, width, height int) (
	func(*imageflowv1.BoundingBox) *imageflowv1.BoundingBox, error,
) {
	same := func(b *imageflowv1.BoundingBox) *imageflowv1.BoundingBox { return b }
	a := m.GetOriginalFromImage()
	isImage := int(m.GetImageWidth()) == width && int(m.GetImageHeight()) == height
	isOriginal := a != nil && int(m.GetOriginalWidth()) == width && int(m.GetOriginalHeight()) == height
	switch {
	case m.GetImageWidth() == 0:
		return nil, errNoSize
	case isImage && a == nil, isOriginal && (!isImage || isIdentity(a)):
		return same, nil
	case isImage && isOriginal:
		return nil, errAmbiguous
	case isImage:
		return inverted(a)
	}
	return nil, errOtherImage
}

func isIdentity(a *imageflowv1.AffineMap) bool {
	return a.GetXx() == 1 && a.GetXy() == 0 && a.GetX0() == 0 && a.GetYx() == 0 && a.GetYy() == 1 && a.GetY0() == 0
}

// inverted returns the inverse of a map, for boxes. It returns the box around the corners of a
// box, so that no part of it is lost.
func inverted(a *imageflowv1.AffineMap) (func(*imageflowv1.BoundingBox) *imageflowv1.BoundingBox, error) {
	det := a.GetXx()*a.GetYy() - a.GetXy()*a.GetYx()
	if det == 0 || math.IsNaN(det) || math.IsInf(det, 0) {
		return nil, errNoMap
	}
	return func(b *imageflowv1.BoundingBox) *imageflowv1.BoundingBox {
		var xs, ys []float32
		for _, x := range []float32{b.GetX1(), b.GetX2()} {
			for _, y := range []float32{b.GetY1(), b.GetY2()} {
				dx, dy := float64(x)-a.GetX0(), float64(y)-a.GetY0()
				xs = append(xs, float32((a.GetYy()*dx-a.GetXy()*dy)/det))
				ys = append(ys, float32((a.GetXx()*dy-a.GetYx()*dx)/det))
			}
		}
		return &imageflowv1.BoundingBox{X1: slices.Min(xs), Y1: slices.Min(ys), X2: slices.Max(xs), Y2: slices.Max(ys)}
	}, nil
}

// sideCarError is the reason why the boxes of a side-car cannot be used.
type sideCarError string

func (e sideCarError) Error() string { return string(e) }

const (
	errNoSideCar  sideCarError = "not the side-car of a detection"
	errNoSize     sideCarError = "it does not have the size of its image: detect the objects again with this version"
	errNoBox      sideCarError = "a bbox is not a box: x1 <= x2 and y1 <= y2"
	errNoMap      sideCarError = "its original_from_image is not a map"
	errOtherImage sideCarError = "it describes neither this image nor one that was made from it: the sizes differ"
	errAmbiguous  sideCarError = "it describes an image and an original of the same size: give the boxes in redaction.boxes"
)

// describe returns regions as boxes.
func describe(regions []image.Rectangle) []*imageflowv1.BoundingBox {
	boxes := make([]*imageflowv1.BoundingBox, len(regions))
	for i, r := range regions {
		boxes[i] = &imageflowv1.BoundingBox{
			X1: float32(r.Min.X), Y1: float32(r.Min.Y), X2: float32(r.Max.X), Y2: float32(r.Max.Y),
		}
	}
	return boxes
}
