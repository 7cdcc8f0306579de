package filter

import (
	"image"
	"slices"

	"imageflow.dev/functions"
	"imageflow.dev/internal/processors"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// frameRegions are the regions of a redaction in the frames of an image.
type frameRegions struct {
	// frames are the regions by number of the frame, and those in functions.AllFrames.
	frames map[int][]functions.Object
	// examined are the frames that the detection examined; nil if there is none, or it examined one frame.
	examined *imageflowv1.ExaminedFrames
	invert   bool
}

// moves reports whether the output has all frames of an animation. A detection of one frame does not
// say where objects are in the others.
func moves(r *imageflowv1.FilterRequest, sideCar []byte) bool {
	object, _ := functions.SideCarOf(r.GetRedaction(), redactionField, processors.Names{})
	if object == nil || sideCar == nil {
		return true
	}
	found, err := functions.ReadSideCar(sideCar)
	return err != nil || found.GetMetadata().GetFrames() != nil
}

// newRegions returns the regions of a redaction. Errors are Invalid.
func newRegions(r *imageflowv1.FilterRequest, in functions.Input) (*frameRegions, error) {
	width, height := in.Image.Size()
	all, examined, err := functions.Objects(r.GetRedaction(), redactionField, in, image.Rect(0, 0, width, height))
	if err != nil {
		return nil, err
	}
	h := &frameRegions{map[int][]functions.Object{}, examined, r.GetRedaction().GetInvert()}
	needsMask := r.GetRedaction().GetShape() == imageflowv1.RedactionShape_REDACTION_SHAPE_MASK
	_, path := functions.SideCarOf(r.GetRedaction(), redactionField, processors.Names{})
	for _, o := range all {
		if needsMask && !o.IsGiven && len(o.Polygons) == 0 {
			return nil, functions.Errorf(functions.Invalid, path, "an object has no mask: detect with "+
				"masks=MASK_FORMAT_POLYGON, or use another shape")
		}
		h.frames[o.Frame] = append(h.frames[o.Frame], o)
	}
	if examined == nil {
		return h, nil
	}
	return h, h.checkFrames(in.Image.Number(), in.Image.SelectedFrames(), in.Image.AnimationFrames(), path)
}

// checkFrames rejects a detection, at a path of the request, that did not examine count frames from number
// first on, of an animation with total frames, or whose numbers are wrong.
func (h *frameRegions) checkFrames(first, count, total int, path string) error {
	e := h.examined
	end := int64(e.GetFirst()) + int64(e.GetExamined())*int64(e.GetEvery())
	switch {
	case e.GetExamined() < 1 || e.GetFirst() < 0 || e.GetEvery() < 1:
		return functions.Errorf(functions.Invalid, path, "its metadata.frames are not those of a detection")
	case int(e.GetTotal()) != total:
		return functions.Errorf(functions.Invalid, path, "it describes an animation of %d frames, this one has %d",
			e.GetTotal(), total)
	case first < int(e.GetFirst()) || int64(first+count) > end:
		return functions.Errorf(functions.Invalid, path, "it describes only frames from %d to %d: choose among them by "+
			"input_image.page and input_image.pages, or detect objects in all frames", e.GetFirst(), end-1)
	}
	return nil
}

// inFrame returns the regions in a frame. One between two that were examined has the regions of both.
// If the regions are shown and all else is hidden, it has none of them.
func (h *frameRegions) inFrame(number int) []functions.Object {
	always, past := h.frames[functions.AllFrames], h.past(number)
	switch {
	case h.examined == nil:
		return always
	case past == 0:
		return slices.Concat(always, h.frames[number])
	case h.invert:
		return always
	}
	return slices.Concat(always, h.frames[number-past], h.frames[number-past+int(h.examined.GetEvery())])
}

// past returns how many frames a frame comes after the last one up to it that was examined.
func (h *frameRegions) past(number int) int {
	if h.examined == nil {
		return 0
	}
	return (number - int(h.examined.GetFirst())) % int(h.examined.GetEvery())
}

// inFrames returns the regions in count frames from number first on, of several frames only distinct ones.
func (h *frameRegions) inFrames(first, count int) (all []functions.Object) {
	if count == 1 {
		return h.inFrame(first)
	}
	seen := map[image.Rectangle]bool{}
	for i := range count {
		if i > 0 && h.past(first+i) > 1 {
			continue // the regions of the frame before
		}
		for _, o := range h.inFrame(first + i) {
			if !seen[o.At] || len(o.Polygons) > 0 { // which may differ in the same box
				seen[o.At] = true
				all = append(all, o)
			}
		}
	}
	return all
}
