package presets

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"buf.build/go/protovalidate"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"imageflow.dev/internal/requestjson"
	"imageflow.dev/internal/rules"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const (
	// maxFileBytes is the limit of a ConfigMap.
	maxFileBytes = 1 << 20
	// maxValues bounds the work: aliases let a small file stand for a large one. A thousand presets have ten thousand.
	maxValues = 100_000
	// maxSteps is the contract's limit of a pipeline.
	maxSteps = 16
)

// Load reads a file. An empty name is a Set without presets, nil.
func Load(file string) (*Set, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, err
	}
	s, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

// Parse reads a file of YAML:
//
//	presets:
//	  card: {resize: {target_width: 640, target_height: 360, fit: cover}}
//	pipelines:
//	  avatar:
//	    - resize: {preset: card}
//	    - filter: {filter_type: sharpen, intensity: 1}
//
// Each preset and each step obeys the rules of a request on any image. The errors name the line of
// each that does not.
func Parse(text []byte) (*Set, error) {
	if len(text) > maxFileBytes {
		return nil, fmt.Errorf("has more than %d bytes", maxFileBytes)
	}
	var doc, second yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, errors.New("has more than one document (---)")
	}
	if !isSmall(&doc) {
		return nil, fmt.Errorf("has more than %d values, if each alias counts as what it stands for", maxValues)
	}
	s := &Set{presets: map[string]*imageflowv1.PipelineStep{}, pipelines: map[string][]*imageflowv1.PipelineStep{}}
	if len(doc.Content) == 0 { // an empty file
		return s, nil
	}
	sections := map[string]func(name, value *yaml.Node) error{presetsSection: s.addPreset, pipelinesSection: s.addPipeline}
	found := map[string]*yaml.Node{}
	err := each(doc.Content[0], func(name, value *yaml.Node) error {
		if sections[name.Value] == nil {
			return at(name, "%.40q is neither presets nor pipelines", name.Value)
		}
		found[name.Value] = value
		return nil
	})
	for _, section := range []string{presetsSection, pipelinesSection} { // pipelines may name any preset
		if value := found[section]; value != nil && value.Tag != nullTag {
			err = errors.Join(err, each(value, sections[section]))
		}
	}
	return s, shortened(err)
}

// maxErrors is the number of errors that are reported. A file can have as many as values.
const maxErrors = 20

// shortened returns the first of joined errors, and how many more there are.
func shortened(err error) error {
	if err == nil {
		return nil
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) <= maxErrors {
		return err
	}
	return fmt.Errorf("%s\nand %d more", strings.Join(lines[:maxErrors], "\n"), len(lines)-maxErrors)
}

const (
	presetsSection   = "presets"
	pipelinesSection = "pipelines"
	nullTag          = "!!null"
)

func (s *Set) addPreset(name, value *yaml.Node) error {
	if !rules.IsName(name.Value) {
		return at(name, "the name %.40q does not have the form %s", name.Value, rules.NameForm)
	}
	step, err := readStep(value)
	if err != nil {
		return within("preset "+name.Value, err)
	}
	field, req := requestOf(step)
	if err := checkPreset(req); err != nil {
		return at(value, "preset %s: %s: %w", name.Value, field, err)
	}
	if err := check(req.Interface()); err != nil {
		return at(lineOf(value, err), "preset %s: %s: %w", name.Value, field, err)
	}
	if err := CheckOutputs([]*imageflowv1.PipelineStep{step}, "", func(int) bool { return true }); err != nil {
		return at(value, "preset %s: %w", name.Value, err)
	}
	s.presets[name.Value] = step
	return nil
}

// checkPreset rejects the fields that only a request can have.
func checkPreset(req protoreflect.Message) (err error) {
	req.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch field.Name() {
		case "input_image", "input_bytes", "execution_id", "variant", presetField:
			err = fmt.Errorf("%s: not allowed in a preset", field.Name())
		case "output_image":
			value.Message().Range(func(part protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
				if part.Name() != "content_type" {
					err = fmt.Errorf("output_image.%s: not allowed in a preset, which may have only the content_type", part.Name())
				}
				return err == nil
			})
		}
		return err == nil
	})
	return err
}

func (s *Set) addPipeline(name, value *yaml.Node) error {
	if !rules.IsName(name.Value) {
		return at(name, "the name %.40q does not have the form %s", name.Value, rules.NameForm)
	}
	if value.Kind != yaml.SequenceNode || len(value.Content) == 0 || len(value.Content) > maxSteps {
		return at(name, "pipeline %s: must be a list of 1 to %d steps", name.Value, maxSteps)
	}
	var steps []*imageflowv1.PipelineStep
	var errs []error
	for i, node := range value.Content {
		step, err := s.readPipelineStep(node)
		errs = append(errs, within(fmt.Sprintf("pipeline %s: step %d", name.Value, i+1), err))
		steps = append(steps, step)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	expanded, err := s.ExpandSteps(steps)
	if err == nil {
		err = CheckDetections(expanded)
	}
	if err == nil {
		err = CheckOutputs(expanded, "", func(int) bool { return true })
	}
	if err != nil {
		return at(name, "pipeline %s: %w", name.Value, err)
	}
	s.pipelines[name.Value] = steps
	return nil
}

func (s *Set) readPipelineStep(node *yaml.Node) (*imageflowv1.PipelineStep, error) {
	step, err := readStep(node)
	if err != nil {
		return nil, err
	}
	if err := protovalidate.Validate(step); err != nil {
		return nil, at(node, "%w", explain(err))
	}
	field, req := requestOf(step)
	expanded, err := s.Expand(req.Interface())
	if err != nil {
		return nil, at(node, "%s: preset: %w", field, err)
	}
	if err := check(expanded); err != nil {
		return nil, at(lineOf(node, err), "%s: %w", field, err)
	}
	return step, nil
}

// readStep reads a step: one processor with its parameters.
func readStep(node *yaml.Node) (*imageflowv1.PipelineStep, error) {
	node = resolve(node)
	if node.Kind != yaml.MappingNode || len(node.Content) != 2 {
		return nil, at(node, "must have one processor with its parameters, such as resize: {target_width: 640}")
	}
	step := &imageflowv1.PipelineStep{}
	field := stepOneof.Fields().ByName(protoreflect.Name(node.Content[0].Value))
	if field == nil {
		return nil, at(node, "there is no processor %.40q", node.Content[0].Value)
	}
	req := step.ProtoReflect().Mutable(field).Message()
	return step, within(string(field.Name()), each(node.Content[1], func(name, value *yaml.Node) error {
		return readField(req, name, value)
	}))
}

// readField sets the field of a request by its name in the contract.
func readField(req protoreflect.Message, name, value *yaml.Node) error {
	field := req.Descriptor().Fields().ByName(protoreflect.Name(name.Value))
	if field == nil {
		return at(name, "%s: no such parameter", printable(name.Value))
	}
	if err := checkNumbers(value); err != nil {
		return at(value, "%s: %w", field.Name(), err)
	}
	var content any
	if err := value.Decode(&content); err != nil {
		return at(name, "%s: %s", field.Name(), strings.TrimPrefix(err.Error(), "yaml: "))
	}
	text, err := json.Marshal(map[string]any{name.Value: content})
	var infinite *json.UnsupportedValueError
	switch {
	case errors.As(err, &infinite):
		return at(value, "%s: %s is not a number that JSON has", field.Name(), infinite.Str)
	case err != nil:
		return at(name, "%s: not JSON; put quotes around keys that are not text", field.Name())
	}
	one := req.New().Interface()
	if err := requestjson.Unmarshal(text, one); err != nil {
		if strings.HasSuffix(err.Error(), " bool") {
			return at(value, "%w; write true or false", err)
		}
		return at(value, "%w", err)
	}
	proto.Merge(req.Interface(), one)
	return nil
}
