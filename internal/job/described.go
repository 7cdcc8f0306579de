package job

import (
	"cmp"
	"fmt"

	"imageflow.dev/functions"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// nameImages sets the image and the output that the side-car describes in a response.
func (o *outputs) nameImages(resp functions.Response, output objects.Info) {
	if o.processor.NameImages == nil {
		return
	}
	var source *imageflowv1.ImageData
	if at := o.plan.source; at.key != "" {
		source = &imageflowv1.ImageData{
			Bucket: at.bucket, ObjectKey: at.key, Etag: o.plan.input.source.ETag, Page: int32(o.plan.frames.First),
		}
	}
	at := o.plan.targets.output
	o.processor.NameImages(resp, source, &imageflowv1.ImageData{Bucket: at.bucket, ObjectKey: at.key, Etag: output.ETag})
}

// checkDescribed rejects a reference that describes other images than the job's. References without names
// of images, and images in the request, are left to the processor, which compares their sizes.
func (p *plan) checkDescribed(processor functions.Processor, in input) error {
	if processor.Describes == nil || p.source.key == "" {
		return nil
	}
	described := processor.Describes(p.request, in.reference)
	for _, d := range described {
		if p.isSource(d, in.source.ETag) {
			return nil
		}
	}
	if len(described) == 0 || writtenView(in.referenceInfo) == p.view(in, in.source.ETag) {
		return nil
	}
	first := described[0]
	return functions.Errorf(functions.Invalid, p.referenceField,
		"it describes %s, but the image is %s: refer to the side-car of this image, or make one of it",
		nameOf(location{first.GetBucket(), first.GetObjectKey()}, first.GetEtag(), int(first.GetPage())),
		nameOf(p.source, in.source.ETag, p.frames.First))
}

// isSource reports whether a side-car names the job's image, whose ETag is given.
func (p *plan) isSource(d *imageflowv1.ImageData, etag string) bool {
	return p.source == location{d.GetBucket(), d.GetObjectKey()} && int(d.GetPage()) == p.frames.First &&
		(d.GetEtag() == "" || d.GetEtag() == etag)
}

// nameOf returns the name of a version of an image, for errors.
func nameOf(at location, etag string, page int) string {
	name := fmt.Sprintf("object %.100q in bucket %.64q with ETag %.64q", at.key, at.bucket, etag)
	if page > 0 {
		name += fmt.Sprintf(", page %d", page)
	}
	return name
}

// view returns a digest of the first image that showed the same in the same places as the image of the job: the
// input of the steps that keep places, or the image itself in a version.
func (p *plan) view(in input, version string) string {
	root := cmp.Or(writtenView(in.source), viewOf(p.source, version))
	if p.frames.First > 0 {
		root = digest([]byte(root), fmt.Append(nil, p.frames.First))
	}
	return root
}

// viewOf returns the view of an object that no step wrote which keeps places.
func viewOf(at location, version string) string {
	return digest([]byte(at.bucket), []byte(at.key), []byte(version))
}

// writtenView returns the view of an object that a step wrote; "" if it has none.
func writtenView(info objects.Info) string {
	if !execution.WrittenByUs(info) {
		return ""
	}
	return info.Metadata[execution.ViewMetadata]
}

// viewMetadata returns the view of the output as metadata; none if it shows something in another place.
func (o *outputs) viewMetadata() map[string]string {
	if !o.processor.KeepsPlaces {
		return nil
	}
	return map[string]string{execution.ViewMetadata: o.plan.view(o.plan.input, o.key.source)}
}

// sideCarMetadata returns the view of the image that the side-car describes, which is the output if that has none
// of earlier steps.
func (o *outputs) sideCarMetadata(output objects.Info) map[string]string {
	if m := o.viewMetadata(); m != nil {
		return m
	}
	return map[string]string{execution.ViewMetadata: viewOf(o.plan.targets.output, output.ETag)}
}
