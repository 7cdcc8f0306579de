package job

import (
	"fmt"
	"strings"

	"imageflow.dev/functions"
)

// planAll plans a valid request with all its outputs.
func planAll(processor functions.Processor, req functions.Request, defaultBucket string) (plan, error) {
	if processor.Renditions == nil {
		return planRequest(processor, req, defaultBucket, "")
	}
	requests := processor.Renditions.Split(req)
	p, err := planRequest(processor, requests[0], defaultBucket, "")
	if err != nil {
		return p, err
	}
	p.count = len(requests)
	for i, other := range requests[1:] {
		one, err := planOther(processor, other, defaultBucket, p.names.Execution)
		one.count, one.field = p.count, fmt.Sprintf("%s[%d]", processor.Renditions.Field, i)
		if err == nil && one.output.key == "" {
			err = functions.Errorf(functions.Invalid, processor.Renditions.Field,
				"they are stored, so the request needs input_image or output_image.bucket")
		}
		if err != nil {
			return p, one.atField(err)
		}
		p.others = append(p.others, one)
	}
	return p, nil
}

// planOther validates and plans the request of a further output.
func planOther(processor functions.Processor, req functions.Request, defaultBucket, executionID string) (plan, error) {
	if err := Validate(req); err != nil {
		return plan{}, err
	}
	if processor.Check != nil {
		if err := processor.Check(req); err != nil {
			return plan{}, err
		}
	}
	return planRequest(processor, req, defaultBucket, executionID)
}

// all returns the plans of all outputs, the main one first.
func (p plan) all() []plan { return append([]plan{p}, p.others...) }

// ownFields are the first parts of the fields that an item of a further output has.
var ownFields = map[string]bool{
	"variant": true, "target_width": true, "target_height": true, "fit": true, "gravity": true, "content_type": true,
	"encoding": true,
}

// atField returns an Invalid error about a field of a further output's request as one about its item in the request of
// the job.
func (p *plan) atField(err error) error {
	e := functions.AsError(err)
	if err == nil || p.field == "" || e.Kind != functions.Invalid {
		return err
	}
	field := strings.TrimPrefix(e.Field, "output_image.")
	first, _, _ := strings.Cut(field, ".")
	at := *e
	switch {
	case e.Field == "":
		at.Field = p.field
	case ownFields[first]:
		at.Field = p.field + "." + field
	}
	return &at
}
