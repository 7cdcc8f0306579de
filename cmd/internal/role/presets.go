package role

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"imageflow.dev/functions"
	"imageflow.dev/internal/job"
	"imageflow.dev/internal/presets"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// PresetsFile has the file of presets and pipelines. It is read once, at the start.
type PresetsFile struct {
	File string `envconfig:"PRESETS_FILE" desc:"file of presets and pipelines; empty: none"`
}

// Presets reads the file.
func (c PresetsFile) Presets() (*presets.Set, error) {
	set, err := presets.Load(c.File)
	if err != nil {
		return nil, fmt.Errorf("PRESETS_FILE: %w", err)
	}
	return set, nil
}

func (c PresetsFile) validate() error {
	_, err := c.Presets()
	return err
}

// checkPresets returns an error for each preset and step of a processor that the processor would
// refuse for any image, by rules that the contract does not have.
func checkPresets(p functions.Processor, c PresetsFile) error {
	set, err := c.Presets()
	if err != nil {
		return err
	}
	var errs []error
	for place, preset := range set.Requests(p.Name) {
		req := proto.Clone(preset).ProtoReflect()
		image := &imageflowv1.ImageData{Bucket: "bucket", ObjectKey: "image.jpg"}
		req.Set(req.Descriptor().Fields().ByName("input_image"), protoreflect.ValueOfMessage(image.ProtoReflect()))
		if err := job.Check(p, nil, req.Interface().(functions.Request)); err != nil {
			errs = append(errs, fmt.Errorf("PRESETS_FILE: %s: %s: %s: %w", c.File, place, p.Name, err))
		}
	}
	return errors.Join(errs...)
}
