package job_test

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"imageflow.dev/functions"
)

// shown is an image in the store with what it shows: equal texts mean the same in the same places.
type shown struct {
	what string
	*data
}

// described is a side-car with what it describes, and the object besides, if any.
type described struct {
	*data
	what     string
	original *data
}

// chainsOf runs steps on an upload. All images have 32 × 24 pixels, or half of that if they are small.
func (s *steps) chainsOf(at *data, content []byte) (images []shown, detections, resizes []described) {
	key := at.GetObjectKey()
	at = proto.CloneOf(at)
	at.Bucket, at.Etag = bucket, put(s.t, bucket, key, content)
	out := func(step string) *data { return in(key + "-" + step + ".png") }
	flipped, small := s.resize(at, out("flipped"), true), s.resize(at, out("small"), false)
	resizes = []described{
		{sideCarOf(flipped), key + " flipped", nil}, {sideCarOf(small), key + " small", nil},
	}
	for what, from := range map[string]*data{key: at, key + " flipped": flipped, key + " small": small} {
		found := s.detect(from, in(from.GetObjectKey()+"-found.png"), nil)
		filtered := s.filter(found, in(from.GetObjectKey()+"-found-filtered.png"))
		twice := s.filter(filtered, in(from.GetObjectKey()+"-filtered-twice.png"))
		beside := s.filter(from, in(from.GetObjectKey()+"-filtered.png"))
		later := s.detect(beside, in(from.GetObjectKey()+"-filtered-found.png"), nil)
		for _, i := range []*data{from, found, filtered, twice, beside, later} {
			images = append(images, shown{what, i})
		}
		detections = append(detections, described{sideCarOf(found), what, nil}, described{sideCarOf(later), what, nil})
	}
	placed := s.detect(small, out("small-placed"), sideCarOf(small))
	images = append(images, shown{key + " small", placed})
	detections = append(detections, described{sideCarOf(placed), key + " small", at})
	return images, detections, resizes
}

// TestRun_sideCarOfAnotherImage: in any pair of an image and a side-car, of uploads of the same size and what steps make
// of them, the side-car is used if it describes the image, and otherwise refused.
func TestRun_sideCarOfAnotherImage(t *testing.T) {
	s := newSteps(t)
	images, detections, resizes := s.chainsOf(in("a.png"), pngOf(t, 32, 24))
	content := pngOf(t, 32, 24)
	more, moreDetections, moreResizes := s.chainsOf(in("b.png"), slices.Concat(content, []byte("another")))
	images, detections, resizes = append(images, more...), append(detections, moreDetections...), append(resizes, moreResizes...)
	check := func(use func(image, sideCar *data) error, field string, i shown, d described) {
		err := use(i.data, d.data)
		if describes := i.what == d.what || d.original != nil && proto.Equal(i.data, d.original); describes {
			if err != nil {
				t.Errorf("%s of %q with the side-car %s: %v", i.data, i.what, d.ObjectKey, err)
			}
			return
		}
		if e := functions.AsError(err); err == nil || e.Kind != functions.Invalid || e.Field != field {
			t.Errorf("%s of %q with the side-car %s of %q: got %v, want it refused", i.data, i.what, d.ObjectKey, d.what, err)
		}
	}
	for _, i := range images {
		for _, d := range detections {
			check(s.redact, "redaction.detections", i, d)
			check(s.crop, "objects.detections", i, d)
		}
		for _, r := range resizes {
			check(s.place, "resize_metadata_ref", i, r)
		}
	}
}
