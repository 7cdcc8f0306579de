package job

import (
	"path"
	"strings"

	"github.com/google/uuid"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// plan says where a job reads and writes and what its output is.
type plan struct {
	execution string
	bucket    string // of the source
	key       string // of the source; empty for input_bytes
	etag      string // the version demanded; empty takes any
	outBucket string
	outKey    string // without extension when it is a derived name; empty stores nothing
	named     bool   // outKey is the caller's own, extension included
	format    imaging.Format
}

// newPlan applies the rules for names that a request left out.
func newPlan(req functions.Request, suffix, defaultBucket string) (plan, error) {
	in, out := req.GetInputImage(), req.GetOutputImage()
	p := plan{
		bucket:    or(in.GetBucket(), defaultBucket),
		key:       in.GetObjectKey(),
		etag:      strings.Trim(in.GetEtag(), `"`),
		execution: req.GetExecutionId(),
	}
	if p.execution == "" && p.key != "" {
		p.execution = strings.TrimSuffix(p.key, path.Ext(p.key))
	}
	if p.execution == "" {
		p.execution = uuid.NewString()
	}
	p.outBucket = or(out.GetBucket(), p.bucket)
	switch {
	case out.GetObjectKey() != "":
		p.outKey, p.named = out.GetObjectKey(), true
	case p.key != "" || out.GetBucket() != "":
		p.outKey = p.execution + "_" + suffix
	}
	if p.named && p.outKey == p.key && p.outBucket == p.bucket {
		return plan{}, functions.Errorf(functions.Invalid, "output_image.object_key", "must not be the input itself")
	}
	return p, p.chooseFormat(out)
}

// chooseFormat takes the format from the output's content type, then from its
// key. Where neither says any, format stays empty: the input decides.
func (p *plan) chooseFormat(out *imageflowv1.ImageData) error {
	wanted, field := out.GetContentType(), "output_image.content_type"
	if wanted == "" && p.named {
		wanted, field = path.Ext(p.outKey), "output_image.object_key"
	}
	if wanted == "" {
		return nil
	}
	format, ok := imaging.FormatOf(wanted)
	if !ok || !format.Writable() {
		return functions.Errorf(functions.Invalid, field, "%q is no format that can be written; take jpeg, png, webp, tiff or avif", wanted)
	}
	p.format = format
	return nil
}

// settle fixes what only the picture itself tells.
func (p *plan) settle(picture *imaging.Image) {
	if p.format == "" {
		p.format = picture.Format.Output()
	}
	if p.outKey != "" && !p.named {
		p.outKey += "." + p.format.Extension()
	}
}

// sideCarKey is the output's key with the extension json.
func (p *plan) sideCarKey() string {
	return strings.TrimSuffix(p.outKey, path.Ext(p.outKey)) + ".json"
}

func or(value, otherwise string) string {
	if value != "" {
		return value
	}
	return otherwise
}
