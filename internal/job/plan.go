package job

import (
	"cmp"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"imageflow.dev/functions"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/processors"
	"imageflow.dev/internal/rules"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// location is the bucket and key of an object. Without a key there is no object.
type location struct{ bucket, key string }

// plan is a valid request with the defaults for what it left out. It is made before
// anything is fetched, and it does not change.
type plan struct {
	request       functions.Request
	began         time.Time        // when the request arrived
	class         class            // of the job in the admission
	names         processors.Names // of the outputs
	source        location         // empty for input_bytes
	sourceETag    string           // the requested version of the source; empty means any
	reference     location
	referenceETag string
	// referenceField is the request's field of the reference.
	referenceField string
	// output is where the output is stored. Without a key, it is returned in the
	// response. A derived key, which is not named, has no extension yet.
	output    location
	named     bool           // the request names the output's key, with its extension
	overwrite bool           // a named output may replace an object that ImageFlow did not write
	format    imaging.Format // of the output; empty means that the input's format decides
	sideCar   bool           // the processor writes a side-car
	frames    imaging.Selection
	moves     bool // the processor makes animations, unless the reference is against it
	readsAll  bool // the processor uses all frames also for a still output
	// others are the plans of the further outputs of the request. field is the path of the item that one of these
	// comes from; empty for the main output.
	others []plan
	field  string
	count  int // of the outputs of the request
}

// targets are the locations that a job writes. sideCar is empty if it writes none.
type targets struct{ output, sideCar location }

// resolvedPlan is a plan whose input has been fetched. The image's header decides what
// the request left open. It does not change.
type resolvedPlan struct {
	plan
	input   input
	image   *imaging.Image
	format  imaging.Format // of the output
	targets targets
	memo    *functions.Memo // of the processor
}

// processorInput returns what the processor gets, without a watch.
func (p *resolvedPlan) processorInput() functions.Input {
	return functions.Input{Image: p.image, Format: p.format, Reference: p.input.reference, Memo: p.memo}
}

// planRequest applies the defaults for the names that a request of one output left out. The execution id is that of
// the main output, or empty.
func planRequest(processor functions.Processor, req functions.Request, defaultBucket, executionID string) (plan, error) {
	in, out := req.GetInputImage(), req.GetOutputImage()
	p := plan{
		request:    req,
		source:     location{cmp.Or(in.GetBucket(), defaultBucket), in.GetObjectKey()},
		sourceETag: unquoted(in.GetEtag()),
		names:      processors.Names{Execution: req.GetExecutionId(), Variant: req.GetVariant()},
		sideCar:    processor.SideCar != nil,
		frames:     imaging.Selection{First: int(in.GetPage()), Count: int(in.GetPages())},
		moves:      processor.Moves != nil && processor.Moves(req, nil),
		readsAll:   processor.ReadsFrames != nil && processor.ReadsFrames(req),
	}
	if p.names.Execution == "" {
		p.names.Execution = cmp.Or(executionID, execution.ID(in.GetObjectKey()), uuid.NewString())
	}
	p.setReference(processor)
	p.output.bucket = cmp.Or(out.GetBucket(), p.source.bucket)
	switch {
	case out.GetObjectKey() != "":
		p.output.key, p.named, p.overwrite = out.GetObjectKey(), true, out.GetOverwrite()
	case p.source.key != "" || out.GetBucket() != "":
		p.output.key = p.names.Key(processor.Info)
	}
	if len(p.names.Execution) > maxExecutionBytes {
		return p, functions.Errorf(functions.Invalid, "execution_id",
			"the execution id derived from the key is longer than %d bytes; give one", maxExecutionBytes)
	}
	if err := cmp.Or(checkVariant(req), p.checkSegments()); err != nil {
		return p, err
	}
	var err error
	if p.format, err = p.requestedFormat(out); err == nil && p.format != "" {
		err = p.checkEncoding(p.format)
	}
	return p, err
}

// setReference sets the object that the processor needs besides the image.
func (p *plan) setReference(processor functions.Processor) {
	if processor.Reference == nil {
		return
	}
	object, field := processor.Reference(p.request, processors.NamesOf(p.names.Execution, p.source.key))
	p.reference = location{cmp.Or(object.GetBucket(), p.source.bucket), object.GetObjectKey()}
	p.referenceETag, p.referenceField = unquoted(object.GetEtag()), field
}

// inline reports whether the job uses no object of the store.
func (p plan) inline() bool { return p.source.key == "" && p.reference.key == "" && p.output.key == "" }

// namesVersions reports whether the request names the version of each object that it reads.
func (p plan) namesVersions() bool {
	return p.sourceETag != "" && (p.reference.key == "" || p.referenceETag != "")
}

// maxExecutionBytes is the contract's limit of an execution id. The first step rejects a
// longer id that it derives from a key, so that later steps do not have to.
const maxExecutionBytes = 900

// unquoted returns an ETag without the quotes that it has in HTTP headers.
func unquoted(etag string) string { return strings.Trim(etag, `"`) }

// checkSegments rejects output keys whose segments between slashes are too long for a
// store.
func (p *plan) checkSegments() error {
	fits := p.output.key == "" || execution.NamesFit(p.names.Execution, p.names.Variant)
	if p.named {
		fits = execution.SegmentsFit(p.output.key)
	}
	if fits {
		return nil
	}
	return functions.Errorf(functions.Invalid, p.nameField(),
		"makes an output's key with more than %d bytes between two slashes", execution.MaxSegmentBytes)
}

// requestedFormat returns the format of the output's content type or of the extension
// of its key, which must agree. It is empty if the request has neither.
func (p *plan) requestedFormat(out *imageflowv1.ImageData) (imaging.Format, error) {
	wanted, field := out.GetContentType(), "output_image.content_type"
	extension := ""
	if p.named {
		extension = path.Ext(p.output.key)
	}
	if wanted == "" {
		wanted, field = extension, "output_image.object_key"
	}
	if wanted == "" {
		return "", nil
	}
	if wanted == string(imaging.Auto) && field == "output_image.content_type" {
		return imaging.Auto, p.checkAuto(extension)
	}
	format, ok := imaging.FormatOf(wanted)
	if !ok || !format.Writable() {
		return "", functions.Errorf(functions.Invalid, field,
			"%.64q is not a format that can be written; use one of %s", wanted, imaging.WritableFormats())
	}
	if s := format.Support(); !s.Write {
		return "", functions.Errorf(functions.Invalid, field, "this build cannot write %s: it lacks %s", format, s.Missing)
	}
	if other, ok := imaging.FormatOf(extension); ok && other != format {
		return "", functions.Errorf(functions.Invalid, field,
			"%.64q disagrees with the extension %.64q of the output's key", wanted, extension)
	}
	return format, nil
}

// checkAuto rejects names that cannot have the smallest format, which is known only at the end: a
// derived one, which ends in the format's extension, and one with an extension of a format.
func (p *plan) checkAuto(extension string) error {
	if _, known := imaging.FormatOf(extension); known {
		return functions.Errorf(functions.Invalid, "output_image.content_type",
			"auto may choose another format than the extension %.64q of the output's key: leave out one of them", extension)
	}
	if p.output.key != "" && !p.named {
		return functions.Errorf(functions.Invalid, "output_image.content_type",
			"auto needs an output_image.object_key without an extension, or an image in input_bytes and no output in a bucket")
	}
	return nil
}

// resolve returns the format and the locations of the outputs for an input of the given
// format, whose output moves if its format can or not.
func (p *plan) resolve(input imaging.Format, moves bool) (imaging.Format, targets, error) {
	format := cmp.Or(p.format, input.Output())
	if p.format == "" && input == imaging.GIF && moves && p.frames.Count != 1 {
		format = input
	}
	if err := p.checkEncoding(format); err != nil {
		return format, targets{}, err
	}
	if p.output.key == "" {
		return format, targets{}, nil
	}
	t := targets{output: p.output}
	if !p.named {
		t.output.key += "." + format.Extension()
	}
	if p.sideCar {
		t.sideCar = location{t.output.bucket, strings.TrimSuffix(t.output.key, path.Ext(t.output.key)) + ".json"}
	}
	return format, t, p.checkTargets(t)
}

// maxKeyBytes is S3's limit.
const maxKeyBytes = 1024

// checkTargets rejects targets that a store does not support, or that would replace the
// job's inputs or each other.
func (p *plan) checkTargets(t targets) error {
	field := p.nameField()
	for _, at := range []location{t.output, t.sideCar} {
		switch {
		case len(at.key) > maxKeyBytes || !execution.SegmentsFit(at.key):
			return functions.Errorf(functions.Invalid, field,
				"makes an output's key longer than %d bytes, or %d between two slashes", maxKeyBytes, execution.MaxSegmentBytes)
		case at.key != "" && slices.Contains([]location{p.source, p.reference}, at):
			return functions.Errorf(functions.Invalid, field, "would replace the input %.64q", at.key)
		}
	}
	switch {
	case strings.HasSuffix(t.output.key, "/"):
		return functions.Errorf(functions.Invalid, field, "must not end in a slash")
	case t.output == t.sideCar:
		return functions.Errorf(functions.Invalid, field, "is the key of the side-car; use another extension than .json")
	}
	return p.checkCrops(t.output)
}

// nameField returns the request field that decides the names of the outputs.
func (p *plan) nameField() string {
	if p.named {
		return "output_image.object_key"
	}
	return "execution_id"
}

// imageField returns the request field that the image came in.
func (p *plan) imageField() string {
	if p.source.key != "" {
		return "input_image"
	}
	return "input_bytes"
}

// checkReplaceable rejects the replacement of an object that the job does not own. A
// derived name may replace outputs of the same execution. A named output may replace
// outputs of any step, and other objects if the request has overwrite.
func (p *plan) checkReplaceable(existing objects.Info) error {
	isOutput := execution.WrittenByUs(existing) && existing.Metadata[execution.StepMetadata] != ""
	switch sameExecution := existing.Metadata[execution.IDMetadata] == p.names.Execution; {
	case existing.ETag == "", p.overwrite, isOutput && (p.named || sameExecution):
		return nil
	case p.named:
		return functions.Errorf(functions.Invalid, p.nameField(),
			"the object %.64q exists and was not written by ImageFlow; set output_image.overwrite, or name another key",
			existing.Key)
	}
	return functions.Errorf(functions.Invalid, p.nameField(),
		"the output's name %.64q is taken by an object that this execution did not write, which is kept; "+
			"rename it, or name another key in output_image.object_key", existing.Key)
}

// checkVariant refuses the variants of images for signed URLs, unless the request makes that very image.
func checkVariant(req functions.Request) error {
	if !execution.IsViewVariant(req.GetVariant()) {
		return nil
	}
	if resize, ok := req.(*imageflowv1.ResizeRequest); ok {
		if own, err := execution.ViewVariant(resize); err != nil || own == req.GetVariant() {
			return err
		}
	}
	return functions.Errorf(functions.Invalid, "variant", "%.32q is for images by signed URLs, whose variants begin with %s; "+
		"give it another name", req.GetVariant(), rules.ViewPrefix)
}
