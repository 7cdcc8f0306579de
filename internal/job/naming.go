package job

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/google/uuid"

	"imageflow.dev/functions"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/objects"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// location is the bucket and key of an object. Without a key there is no object.
type location struct{ bucket, key string }

// plan says where a job reads and writes and what its output is.
type plan struct {
	execution string
	source    location // nowhere for input_bytes
	etag      string   // the version of the source demanded; empty takes any
	reference location
	output    location // the key of a derived name gets its extension late
	named     bool     // the output's key is the caller's own, extension included
	overwrite bool     // a named output may replace what ImageFlow did not write
	sideCar   location
	format    imaging.Format
	animated  bool // the picture has further frames or pages
	repaired  []string
}

// newPlan applies the rules for names that a request left out.
func newPlan(req functions.Request, reference *imageflowv1.ImageData, suffix, defaultBucket string) (plan, error) {
	in, out := req.GetInputImage(), req.GetOutputImage()
	p := plan{
		source:    location{cmp.Or(in.GetBucket(), defaultBucket), in.GetObjectKey()},
		etag:      unquoted(in.GetEtag()),
		execution: cmp.Or(req.GetExecutionId(), execution.ID(in.GetObjectKey())),
	}
	if p.execution == "" {
		p.execution = uuid.NewString()
	}
	p.reference = location{cmp.Or(reference.GetBucket(), p.source.bucket), reference.GetObjectKey()}
	p.output.bucket = cmp.Or(out.GetBucket(), p.source.bucket)
	switch {
	case out.GetObjectKey() != "":
		p.output.key, p.named, p.overwrite = out.GetObjectKey(), true, out.GetOverwrite()
	case p.source.key != "" || out.GetBucket() != "":
		p.output.key = p.execution + "_" + suffix
	}
	if len(p.execution) > maxExecutionBytes {
		return p, functions.Errorf(functions.Invalid, "execution_id", "the key makes one of more than %d bytes; give one", maxExecutionBytes)
	}
	if err := p.checkSegments(); err != nil {
		return p, err
	}
	return p, p.chooseFormat(out)
}

// checkSegments refuses names that the store cannot hold, before anything is done.
func (p *plan) checkSegments() error {
	fits := p.output.key == "" || execution.NamesFit(p.execution)
	if p.named {
		fits = execution.SegmentsFit(p.output.key)
	}
	if fits {
		return nil
	}
	return functions.Errorf(functions.Invalid, p.nameField(), "makes an output's key with more than %d bytes between two slashes", execution.MaxSegmentBytes)
}

// maxExecutionBytes is the contract's limit of an execution id. An id that follows
// from a key is refused by the first step, and not by the second.
const maxExecutionBytes = 900

// unquoted returns an entity tag without its quotes, with which HTTP has it.
func unquoted(etag string) string { return strings.Trim(etag, `"`) }

// chooseFormat takes the format from the output's content type and its key,
// which must not disagree. Where neither says any, format stays empty: the
// input decides.
func (p *plan) chooseFormat(out *imageflowv1.ImageData) error {
	wanted, field := out.GetContentType(), "output_image.content_type"
	extension := ""
	if p.named {
		extension = path.Ext(p.output.key)
	}
	if wanted == "" {
		wanted, field = extension, "output_image.object_key"
	}
	if wanted == "" {
		return nil
	}
	format, ok := imaging.FormatOf(wanted)
	if !ok || !format.Writable() {
		return functions.Errorf(functions.Invalid, field, "%.64q is no format that can be written; take jpeg, png, webp, tiff or avif", wanted)
	}
	if other, ok := imaging.FormatOf(extension); ok && other != format {
		return functions.Errorf(functions.Invalid, field, "%.64q disagrees with the extension %.64q of the output's key", wanted, extension)
	}
	p.format = format
	return nil
}

// settle fixes what only the picture itself tells.
func (p *plan) settle(picture imaging.Format, withSideCar bool) error {
	if p.format == "" {
		p.format = picture.Output()
	}
	if p.output.key == "" {
		return nil
	}
	if !p.named {
		p.output.key += "." + p.format.Extension()
	}
	if withSideCar {
		p.sideCar = location{p.output.bucket, strings.TrimSuffix(p.output.key, path.Ext(p.output.key)) + ".json"}
	}
	return p.checkWrites()
}

// maxKeyBytes is S3's limit.
const maxKeyBytes = 1024

// checkWrites refuses outputs that no store could hold, or that would be written
// over what the job reads or over each other.
func (p *plan) checkWrites() error {
	field := p.nameField()
	for _, write := range []location{p.output, p.sideCar} {
		switch {
		case len(write.key) > maxKeyBytes || !execution.SegmentsFit(write.key):
			return functions.Errorf(functions.Invalid, field, "makes an output's key longer than %d bytes, or %d between two slashes",
				maxKeyBytes, execution.MaxSegmentBytes)
		case write.key != "" && slices.Contains([]location{p.source, p.reference}, write):
			return functions.Errorf(functions.Invalid, field, "would write %.64q over what it is made from", write.key)
		}
	}
	switch {
	case strings.HasSuffix(p.output.key, "/"):
		return functions.Errorf(functions.Invalid, field, "must not end in a slash")
	case p.output == p.sideCar:
		return functions.Errorf(functions.Invalid, field, "is where the side-car goes; take another extension than .json")
	}
	return nil
}

// nameField is the request's field that the names of the outputs follow from.
func (p *plan) nameField() string {
	if p.named {
		return "output_image.object_key"
	}
	return "execution_id"
}

// protect refuses to replace an object that is not ours to replace. A derived name
// replaces only outputs of the same execution, a named output those of any step,
// and whatever else is there if the caller says so.
func (p *plan) protect(found objects.Info) error {
	ours := execution.WrittenByUs(found) && found.Metadata[execution.StepMetadata] != ""
	switch sameExecution := found.Metadata[execution.IDMetadata] == p.execution; {
	case found.ETag == "", p.overwrite, ours && (p.named || sameExecution):
		return nil
	case p.named:
		return functions.Errorf(functions.Invalid, p.nameField(),
			"ImageFlow did not write the object %.64q that is there, and keeps it; set output_image.overwrite, or name another key", found.Key)
	}
	return functions.Errorf(functions.Invalid, p.nameField(),
		"the output's name %.64q is taken by an object that this execution did not write, which is kept; "+
			"rename it, or name another key in output_image.object_key", found.Key)
}
