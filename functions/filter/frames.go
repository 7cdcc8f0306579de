package filter

import (
	"fmt"
	"image"
	"slices"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// frameRegions are the regions of a redaction in an image.
type frameRegions struct {
	always []image.Rectangle // in all frames
	// detected are the regions in the frames that a detection examined, by number; nil if it examined
	// one frame only, whose regions are in always.
	detected map[int][]image.Rectangle
	examined *imageflowv1.ExaminedFrames
	invert   bool
}

// moves reports whether the output has all frames of an animation. A detection of one frame does not
// say where objects are in the others.
func moves(r *imageflowv1.FilterRequest, sideCar []byte) bool {
	object, _ := detectionsObject(r, "")
	if object == nil || sideCar == nil {
		return true
	}
	found, err := readSideCar(sideCar)
	return err != nil || found.GetMetadata().GetFrames() != nil
}

// inFrame returns the regions in a frame. One between two that were examined has the regions of both.
// If the regions are shown and all else is hidden, it has none of them.
func (h *frameRegions) inFrame(number int) []image.Rectangle {
	switch past := h.past(number); {
	case past == 0:
		return slices.Concat(h.always, h.detected[number])
	case h.invert:
		return h.always
	default:
		return slices.Concat(h.always, h.detected[number-past], h.detected[number-past+int(h.examined.GetEvery())])
	}
}

// past returns how many frames a frame comes after the last one up to it that was examined.
func (h *frameRegions) past(number int) int {
	if h.examined == nil {
		return 0
	}
	return (number - int(h.examined.GetFirst())) % int(h.examined.GetEvery())
}

// inFrames returns the regions in count frames from number first on, of several frames only distinct ones.
func (h *frameRegions) inFrames(first, count int) (all []image.Rectangle) {
	if count == 1 {
		return h.inFrame(first)
	}
	seen := map[image.Rectangle]bool{}
	for i := range count {
		if i > 0 && h.past(first+i) > 1 {
			continue // the regions of the frame before
		}
		for _, at := range h.inFrame(first + i) {
			if !seen[at] {
				seen[at] = true
				all = append(all, at)
			}
		}
	}
	return all
}

// checkFrames rejects a detection that did not examine count frames from number first on, of an animation
// with total frames, or whose numbers are wrong.
func (h *frameRegions) checkFrames(first, count, total int) error {
	e := h.examined
	end := int64(e.GetFirst()) + int64(e.GetExamined())*int64(e.GetEvery())
	switch {
	case e == nil:
		return nil
	case e.GetExamined() < 1 || e.GetFirst() < 0 || e.GetEvery() < 1:
		return errNoSideCar
	case int(e.GetTotal()) != total:
		return sideCarError(fmt.Sprintf("it describes an animation of %d frames, this one has %d", e.GetTotal(), total))
	case first < int(e.GetFirst()) || int64(first+count) > end:
		return sideCarError(fmt.Sprintf("it describes the frames %d to %d only: choose among them with input_image.page and "+
			"input_image.pages, or detect objects in all frames", e.GetFirst(), end-1))
	}
	return nil
}
