package execution

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"imageflow.dev/internal/objects"
)

// sideCarType is the content type of side-cars.
const sideCarType = "application/json"

// steps returns the steps of the outputs in the order of the chain: each was made from
// the source or from the output of an earlier step. It omits outputs of other versions
// of the source, and crops. Without a source, it returns all but crops.
func steps(source *objects.Info, outputs []objects.Info) []Step {
	isSideCar := func(o objects.Info) bool { return o.ContentType == sideCarType }
	isNoOutput := func(o objects.Info) bool { return isSideCar(o) || o.Metadata[CropMetadata] != "" }
	images := slices.DeleteFunc(slices.Clone(outputs), isNoOutput)
	slices.SortStableFunc(images, func(a, b objects.Info) int { return a.Modified.Compare(b.Modified) })
	if source != nil {
		images = descendants(source.ETag, images)
	} else {
		images = byLineage(images)
	}
	var done []Step
	for _, image := range images {
		step := Step{Name: image.Metadata[StepMetadata], Variant: image.Metadata[VariantMetadata], Output: image}
		step.Seconds, _ = strconv.ParseFloat(image.Metadata[SecondsMetadata], 64)
		for _, o := range outputs {
			if isSideCar(o) && stem(o.Key) == stem(image.Key) {
				step.SideCar = o.Key
			}
		}
		done = append(done, step)
	}
	return done
}

// descendants returns the images that were made from a version of an object, directly or indirectly, each after the image
// that it was made from. Those whose own input has been replaced or deleted since come last.
func descendants(etag string, images []objects.Info) (found []objects.Info) {
	taken := map[string]bool{}
	take := func(from string) {
		for _, p := range images {
			if p.Metadata[SourceMetadata] == from && !taken[p.Key] {
				taken[p.Key] = true
				found = append(found, p)
			}
		}
	}
	take(etag)
	for i := 0; i < len(found); i++ {
		take(found[i].ETag)
	}
	rest := slices.DeleteFunc(slices.Clone(images), func(p objects.Info) bool {
		return taken[p.Key] || p.Metadata[OriginMetadata] != etag
	})
	return append(byLineage(found), byLineage(rest)...)
}

// byLineage puts each image after the one that it was made from, whose time may be the same: stores round it to seconds.
// Where images are equal, their metadata name the one.
func byLineage(images []objects.Info) (ordered []objects.Info) {
	waiting := map[string]int{} // images by ETag and by key
	for _, image := range images {
		waiting[image.ETag]++
		waiting[image.Key]++
	}
	isNext := func(image objects.Info) bool {
		if end, ok := image.Metadata[InputMetadata]; ok {
			return waiting[image.Metadata[IDMetadata]+end] == 0
		}
		source := image.Metadata[SourceMetadata]
		return source == image.Metadata[OriginMetadata] || waiting[source] == 0
	}
	equalsInput := func(image objects.Info) bool { return image.Metadata[SourceMetadata] == image.ETag }
	for len(images) > 0 {
		next := slices.IndexFunc(images, isNext)
		if next < 0 {
			next = max(0, slices.IndexFunc(images, equalsInput))
		}
		waiting[images[next].ETag]--
		waiting[images[next].Key]--
		ordered = append(ordered, images[next])
		images = slices.Delete(images, next, next+1)
	}
	return ordered
}

func stem(key string) string { return strings.TrimSuffix(key, path.Ext(key)) }

// Finished returns the time at which the step wrote its output.
func (s Step) Finished() time.Time { return s.Output.Modified }
